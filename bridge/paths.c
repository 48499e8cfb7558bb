/* Paths of the loader: texts of a fixed size, in the system's own bytes. */
#define _GNU_SOURCE
#define TOSSL_LOADER
#include "loader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#if defined(_WIN32)
#include <io.h>
#define access _access
#define R_OK 4
#else
#include <unistd.h>
#endif

/* Sets a text, which has at most `size` - 1 bytes; returns whether it is whole. */
int TosslSetText(char *to, size_t size, const char *format, const char *one, const char *other)
{
    int length = snprintf(to, size, format, one, other);

    return length >= 0 && (size_t)length < size;
}

const char *TosslNameOf(const char *path)
{
    const char *name = path, *at;

    for (at = path; *at != '\0'; at++) {
        if (strchr(TOSSL_SEPARATORS, *at) != NULL) {
            name = at + 1;
        }
    }
    return name;
}

/* Cuts the last name off; returns whether a folder is left. */
int TosslGoUp(char *path)
{
    char *name = path + (TosslNameOf(path) - path);

    while (name > path && strchr(TOSSL_SEPARATORS, name[-1]) != NULL) {
        name--;
    }
    *name = '\0';
    return name > path;
}

int TosslHasText(const char *folder, const char *name)
{
    char path[TOSSL_PATH_SIZE];
    struct stat is;

    return TosslSetText(path, sizeof path, "%s/%s", folder, name) && stat(path, &is) == 0 && S_ISREG(is.st_mode) &&
           is.st_size > 0 && access(path, R_OK) == 0;
}

/* Follows all links; a path that leads nowhere stays. */
void TosslFollow(const char *path, char to[TOSSL_PATH_SIZE])
{
#if defined(_WIN32)
    char *real = _fullpath(NULL, path, 0);
#else
    char *real = realpath(path, NULL);
#endif

    TosslSetText(to, TOSSL_PATH_SIZE, "%s%s", real ? real : path, "");
    free(real);
}
