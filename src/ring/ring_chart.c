#include "ring/ring_chart.h"

#include <errno.h>
#include <string.h>

#define CHART_WIDTH 760
#define BAR_HEIGHT  18
#define BAR_STEP    26
#define LABEL_WIDTH 110
#define VALUE_WIDTH 90
#define HEAD_HEIGHT 34

struct panel {
    const char *title;
    double (*value)(const struct ring_compare_row *row);
};

static double peak_of(const struct ring_compare_row *row)
{
    return row->peak;
}

static double leave_of(const struct ring_compare_row *row)
{
    return row->leave;
}

static double lookup_of(const struct ring_compare_row *row)
{
    return row->lookup_ns;
}

static const struct panel panels[] = {
    {"peak / average share", peak_of},
    {"moved / minimum when one leaves", leave_of},
    {"look-up, ns", lookup_of},
};

static void draw_panel(FILE *file, const struct panel *panel, const struct ring_compare_row *rows,
                       size_t count, double top)
{
    double most = 0;

    for (size_t i = 0; i < count; i++)
        most = rows[i].is_built && panel->value(&rows[i]) > most ? panel->value(&rows[i]) : most;
    fprintf(file, "<text x=\"8\" y=\"%.0f\" font-weight=\"bold\">%s</text>\n",
            top + HEAD_HEIGHT - 12, panel->title);
    for (size_t i = 0; i < count; i++) {
        double value = rows[i].is_built ? panel->value(&rows[i]) : 0;
        double y = top + HEAD_HEIGHT + (double)i * BAR_STEP;
        double width = most > 0 ? value / most * (CHART_WIDTH - LABEL_WIDTH - VALUE_WIDTH) : 0;

        fprintf(file, "<text x=\"8\" y=\"%.0f\">%s</text>\n", y + BAR_HEIGHT - 4, rows[i].scheme);
        if (value > 0)
            fprintf(file,
                    "<rect x=\"%d\" y=\"%.0f\" width=\"%.1f\" height=\"%d\" fill=\"#4477aa\"/>\n"
                    "<text x=\"%.1f\" y=\"%.0f\">%.4g</text>\n",
                    LABEL_WIDTH, y, width, BAR_HEIGHT, LABEL_WIDTH + width + 6, y + BAR_HEIGHT - 4,
                    value);
        else
            fprintf(file, "<text x=\"%d\" y=\"%.0f\" fill=\"#777\">-</text>\n", LABEL_WIDTH,
                    y + BAR_HEIGHT - 4);
    }
}

int ring_chart_write(const char *path, const struct ring_compare_row *rows, size_t count,
                     struct error *why)
{
    size_t height = HEAD_HEIGHT + count * BAR_STEP;
    FILE *file = fopen(path, "we");
    bool is_bad;

    if (!file)
        return error_set(why, -errno, "%s: %s", path, strerror(errno));
    fprintf(file,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%zu\" "
            "font-family=\"sans-serif\" font-size=\"13\">\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
            CHART_WIDTH, height * ARRAY_SIZE(panels) + BAR_STEP);
    for (size_t i = 0; i < ARRAY_SIZE(panels); i++)
        draw_panel(file, &panels[i], rows, count, (double)(height * i));
    fputs("</svg>\n", file);
    is_bad = ferror(file);
    if (fclose(file) != 0 || is_bad)
        return error_set(why, -EIO, "%s: it could not be written whole", path);
    return 0;
}
