/* Three servers, a key, one server more, one less: cc balance_example.c $(pkg-config --cflags
 * --libs roost-balance). Prints where keys go and what each change moves. */
#include <stdio.h>

#include "balance/balance_builder.h"

static void show(const struct balance_builder *builder, const char *what)
{
    const struct balance_image *image = balance_builder_image(builder);
    uint64_t hash = balance_hash(image, view_of("customer-42"), NULL);

    printf("%s: customer-42 -> %s, then %s\n", what,
           balance_name(image, balance_owner(image, hash, 0, NULL)),
           balance_name(image, balance_owner(image, hash, 1, NULL)));
}

int main(void)
{
    struct balance_options options = BALANCE_OPTIONS;
    struct balance_member servers[] = {{"web-1", 1, 1}, {"web-2", 2, 2}, {"web-3", 1, 3}};
    struct balance_builder *builder = NULL;
    struct balance_plan plan = {0};
    struct error why;

    if (balance_builder_create(&options, &builder, &why) < 0 ||
        balance_builder_set(builder, servers, 2, &why) < 0 || /* two servers */
        balance_builder_plan(builder, servers, 3, &plan, &why) < 0) {
        fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    show(builder, "two");
    printf("a third moves %.1f %% of all keys\n", 100.0 * plan.moved / plan.units);
    balance_plan_finish(&plan);
    if (balance_builder_set(builder, servers, 3, &why) == 0) /* add one */
        show(builder, "three");
    if (balance_builder_set(builder, servers + 1, 2, &why) == 0) /* remove the first */
        show(builder, "without web-1");
    balance_builder_destroy(builder);
    return 0;
}
