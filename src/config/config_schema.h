/* What may stand in a file, generated from the table of fields: for editors and for people. */
#pragma once

/* A JSON Schema (draft 2020-12). Owner: the caller, ends with free(). */
char *config_schema(void);

/* The keys as a table in Markdown, and the settings as another. Owner: the caller, free(). */
char *config_schema_markdown(void);
