/*
 * Which Python it shall be: python.cfg beside the loader says it, or TOSSL_PYTHON, which names a python program. No program
 * is run to learn of its version.
 */
#define _GNU_SOURCE
#define TOSSL_LOADER
#include "loader.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#if defined(_WIN32)
#include <io.h>
#define access _access
#define IS_EXECUTABLE 4 /* readable: Windows knows nothing else */
#else
#include <unistd.h>
#define IS_EXECUTABLE X_OK
#endif

#if defined(__linux__)
#define GET_TRUSTED secure_getenv /* it names what is run: not in a program with the rights of another user */
#else
#define GET_TRUSTED getenv
#endif

#define ENVIRONMENT "the python of an environment that has tossl_acme"

/* ---- files of lines `name = value` ---- */

/* Cuts blanks off both ends. */
static char *trim(char *text)
{
    char *end;

    text += strspn(text, " \t\r\n");
    for (end = text + strlen(text); end > text && strchr(" \t\r\n", end[-1]) != NULL; end--) {
    }
    *end = '\0';
    return text;
}

/* Splits a line; returns 0 for an empty one or a comment, -1 for what is no such line. */
static int split(char *line, char **name, char **value)
{
    char *equals = strchr(line, '=');

    *name = trim(line);
    if (**name == '\0' || **name == '#') {
        return 0;
    }
    if (equals == NULL) {
        return -1;
    }
    *equals = '\0';
    *name = trim(*name);
    *value = trim(equals + 1);
    return 1;
}

/* Reads an environment's file: its version, and the folder of the program that it was made with. */
static int readEnvironment(const char *folder, char version[16], char home[TOSSL_PATH_SIZE])
{
    char path[TOSSL_PATH_SIZE], line[TOSSL_PATH_SIZE], *name, *value;
    FILE *file = TosslSetText(path, sizeof path, "%s/%s", folder, "pyvenv.cfg") ? fopen(path, "r") : NULL;

    if (file == NULL) {
        return 0;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        if (split(line, &name, &value) <= 0) {
            continue;
        }
        if (strcmp(name, "home") == 0) {
            TosslSetText(home, TOSSL_PATH_SIZE, "%s%s", value, "");
        } else if (strcmp(name, "version") == 0 || strcmp(name, "version_info") == 0) {
            TosslReadVersion(value, version);
        }
    }
    fclose(file);
    return 1;
}

/* ---- python.cfg ---- */

static int isAbsolute(const char *path)
{
    return path[0] == '/' || (isalpha((unsigned char)path[0]) && path[1] == ':') || path[0] == '\\';
}

/* Makes a path absolute, from the file's folder. Returns whether it fits. */
static int setPath(char to[TOSSL_PATH_SIZE], const char *folder, const char *path)
{
    return isAbsolute(path) ? TosslSetText(to, TOSSL_PATH_SIZE, "%s%s", path, "") : TosslSetText(to, TOSSL_PATH_SIZE, "%s/%s", folder, path);
}

/* Reads a version with the letter of its kind: 3.11, 3.13t. */
static void readKind(const char *text, char version[16])
{
    TosslReadVersion(text, version);
    if (text[strspn(text, "0123456789.")] == 't') {
        strcat(version, "t");
    }
}

/* Returns whether that name is known, and its value fits. */
static int setValue(TosslPython *python, const char *folder, const char *name, const char *value)
{
    char path[TOSSL_PATH_SIZE];
    size_t length = strlen(python->packages);

    if (strcmp(name, "program") == 0) {
        return setPath(python->program, folder, value);
    }
    if (strcmp(name, "home") == 0) {
        return setPath(python->home, folder, value);
    }
    if (strcmp(name, "version") == 0) {
        readKind(value, python->version);
        return isdigit((unsigned char)*value);
    }
    if (strcmp(name, "library") == 0) {
        return strpbrk(value, TOSSL_SEPARATORS) ? setPath(python->library, folder, value)
                                               : TosslSetText(python->library, TOSSL_PATH_SIZE, "%s%s", value, "");
    }
    if (strcmp(name, "mend") == 0) {
        return TosslSetText(python->mend, TOSSL_PATH_SIZE, "%s%s", value, "");
    }
    return strcmp(name, "packages") == 0 && setPath(path, folder, value) &&
           TosslSetText(python->packages + length, TOSSL_PATH_SIZE - length, "%s\n%s", path, "");
}

/* Some editors begin a file with these bytes. */
static char *skipMark(char *text)
{
    static const char mark[] = "\xef\xbb\xbf";

    return strncmp(text, mark, strlen(mark)) == 0 ? text + strlen(mark) : text;
}

static int refuseUnreadable(Tcl_Interp *interp, const TosslPython *python)
{
    return TosslRefuse(interp, Tcl_ObjPrintf("tossl does not know its Python: %s cannot be read: %s; %s", python->source,
                                             Tcl_PosixError(interp), python->mend));
}

static int readLines(Tcl_Interp *interp, FILE *file, const char *folder, TosslPython *python)
{
    char line[TOSSL_PATH_SIZE], *name, *value;
    int number = 0, kind, isWhole;

    while (fgets(line, sizeof line, file) != NULL) {
        number++;
        isWhole = strchr(line, '\n') != NULL;
        kind = split(number == 1 ? skipMark(line) : line, &name, &value);
        if (kind < 0 || (!isWhole && !feof(file)) || (kind > 0 && (*value == '\0' || !setValue(python, folder, name, value)))) {
            return TosslRefuse(interp, Tcl_ObjPrintf("tossl does not know its Python: line %d of %s is not `name = value` "
                                                     "with program, version, library, home, packages or mend; %s",
                                                     number, python->source, python->mend));
        }
    }
    if (ferror(file)) {
        return refuseUnreadable(interp, python);
    }
    if (*python->program == '\0' && *python->home == '\0') {
        return TosslRefuse(interp, Tcl_ObjPrintf("tossl does not know its Python: %s has neither program nor home; %s",
                                                 python->source, python->mend));
    }
    return TCL_OK;
}

static int readConfiguration(Tcl_Interp *interp, const char *folder, TosslPython *python)
{
    FILE *file;
    int code;

    TosslSetText(python->source, TOSSL_PATH_SIZE, "%s/%s", folder, "python.cfg");
    TosslSetText(python->mend, TOSSL_PATH_SIZE, "run make in %s, or let TOSSL_PYTHON name %s", folder, ENVIRONMENT);
    file = fopen(python->source, "r");
    if (file == NULL) {
        return refuseUnreadable(interp, python);
    }
    code = readLines(interp, file, folder, python);
    fclose(file);
    return code;
}

/* ---- the program ---- */

static int isFolder(const char *path)
{
    struct stat is;

    return stat(path, &is) == 0 && S_ISDIR(is.st_mode);
}

/* Returns whether a link leads to nothing. */
static int leadsNowhere(const char *path)
{
#if defined(_WIN32)
    (void)path;
    return 0;
#else
    struct stat is;

    return stat(path, &is) != 0 && (errno == ENOENT || errno == ELOOP) && lstat(path, &is) == 0;
#endif
}

/* Returns why a program cannot be executed. */
static const char *explain(const char *path)
{
    if (strpbrk(path, TOSSL_SEPARATORS) == NULL) {
        return "is not in this folder: name the program with its whole path";
    }
    switch (errno) {
        case ENOENT:
        case ENOTDIR:
            return "is not there: that Python was upgraded, moved or removed";
        case EACCES:
            return "cannot be executed: permission denied";
        default:
            return "cannot be executed";
    }
}

static int isScript(const char *path)
{
    FILE *file = fopen(path, "rb");
    int is = file != NULL && fgetc(file) == '#' && fgetc(file) == '!';

    if (file != NULL) {
        fclose(file);
    }
    return is;
}

/* Returns why that cannot be the program, or NULL. */
static const char *findFault(const TosslPython *python)
{
    if (isFolder(python->program)) {
        return "is a folder: name the python program in it";
    }
    if (leadsNowhere(python->program)) {
        return "leads to a program that is not there: that Python was upgraded, moved or removed";
    }
    if (access(python->program, IS_EXECUTABLE) != 0) {
        return explain(python->program);
    }
    if (isScript(python->program)) {
        return "is a script, which runs some other program: name the python program that it runs (pyenv: see `pyenv which "
               "python`)";
    }
    return NULL;
}

/* Reads the version in a program's name: pythonX.Y, with letters for its kind behind. */
static void readName(const char *path, char version[16])
{
    const char *name = TosslNameOf(path);

    if (strncmp(name, "python", 6) == 0 && isdigit((unsigned char)name[6]) && strchr(name, '.') != NULL) {
        readKind(name + 6, version);
    }
}

/* Reads pyvenv.cfg beside the program, or in the folder above. */
void TosslReadProgram(TosslPython *python, char home[TOSSL_PATH_SIZE])
{
    char folder[TOSSL_PATH_SIZE], version[16] = "";

    TosslSetText(folder, sizeof folder, "%s%s", python->program, "");
    if (TosslGoUp(folder) && !readEnvironment(folder, version, home) && TosslGoUp(folder)) {
        readEnvironment(folder, version, home);
    }
    if (*python->version == '\0') {
        TosslSetText(python->version, sizeof python->version, "%s%s", version, "");
    }
}

static int readVersion(Tcl_Interp *interp, TosslPython *python)
{
    char home[TOSSL_PATH_SIZE], real[TOSSL_PATH_SIZE];

    if (*python->version == '\0') {
        TosslReadProgram(python, home);
    }
    if (*python->version == '\0') {
        TosslFollow(python->program, real);
        readName(real, python->version);
    }
    if (*python->version == '\0') {
        return TosslRefuse(interp, Tcl_ObjPrintf("tossl has no Python: %s, named by %s, is no Python that tossl knows: it is "
                                                 "not called pythonX.Y behind its links, and no pyvenv.cfg beside it tells "
                                                 "its version; %s",
                                                 python->program, python->source, python->mend));
    }
    return TCL_OK;
}

int TosslReadChoice(Tcl_Interp *interp, const char *folder, TosslPython *python)
{
    const char *chosen = GET_TRUSTED("TOSSL_PYTHON"), *fault;

    memset(python, 0, sizeof *python);
    if (chosen != NULL && *chosen != '\0') {
        TosslSetText(python->mend, TOSSL_PATH_SIZE, "let TOSSL_PYTHON name %s, or do not set it%s", ENVIRONMENT, "");
        TosslSetText(python->source, TOSSL_PATH_SIZE, "%s%s", "TOSSL_PYTHON", "");
        TosslSetText(python->program, TOSSL_PATH_SIZE, "%s%s", chosen, "");
    } else if (readConfiguration(interp, folder, python) != TCL_OK) {
        return TCL_ERROR;
    }
    fault = *python->program ? findFault(python) : NULL;
    if (fault != NULL) {
        return TosslRefuse(interp, Tcl_ObjPrintf("tossl has no Python: %s, named by %s, %s; %s", python->program,
                                                 python->source, fault, python->mend));
    }
    return readVersion(interp, python);
}
