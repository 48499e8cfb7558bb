/*
 * Which Python it shall be: python.cfg beside the loader says it, or TOSSL_PYTHON, which names a python program. What
 * they leave out is found by that program, as Python would find it. No program is run for that.
 */
#define _GNU_SOURCE
#define TOSSL_LOADER
#include "loader.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#if defined(_WIN32)
#include <io.h>
#define access _access
#define IS_EXECUTABLE 4 /* readable: Windows knows nothing else */
#define PATH_SEPARATORS "/\\"
#else
#include <unistd.h>
#define IS_EXECUTABLE X_OK
#define PATH_SEPARATORS "/"
#endif

#if defined(__linux__) && defined(__x86_64__)
#define MULTIARCH "lib/x86_64-linux-gnu"
#elif defined(__linux__) && defined(__aarch64__)
#define MULTIARCH "lib/aarch64-linux-gnu"
#elif defined(__linux__) && defined(__arm__)
#define MULTIARCH "lib/arm-linux-gnueabihf"
#elif defined(__linux__) && defined(__i386__)
#define MULTIARCH "lib/i386-linux-gnu"
#elif defined(__linux__) && defined(__riscv)
#define MULTIARCH "lib/riscv64-linux-gnu"
#elif defined(__linux__) && defined(__powerpc64__)
#define MULTIARCH "lib/powerpc64le-linux-gnu"
#elif defined(__linux__) && defined(__s390x__)
#define MULTIARCH "lib/s390x-linux-gnu"
#else
#define MULTIARCH "lib"
#endif

#define ENVIRONMENT "the python of an environment that has tossl_acme"

/* ---- paths ---- */

/* Sets a text, which has at most `size` - 1 bytes; returns whether it is whole. */
static int set(char *to, size_t size, const char *format, const char *one, const char *other)
{
    int length = snprintf(to, size, format, one, other);

    return length >= 0 && (size_t)length < size;
}

static const char *nameOf(const char *path)
{
    const char *name = path, *at;

    for (at = path; *at != '\0'; at++) {
        if (strchr(PATH_SEPARATORS, *at) != NULL) {
            name = at + 1;
        }
    }
    return name;
}

/* Cuts the last name off; returns whether a folder is left. */
static int goUp(char *path)
{
    char *name = path + (nameOf(path) - path);

    while (name > path && strchr(PATH_SEPARATORS, name[-1]) != NULL) {
        name--;
    }
    *name = '\0';
    return name > path;
}

static int isAbsolute(const char *path)
{
    return path[0] == '/' || (isalpha((unsigned char)path[0]) && path[1] == ':') || path[0] == '\\';
}

static int isFolder(const char *path)
{
    struct stat is;

    return stat(path, &is) == 0 && S_ISDIR(is.st_mode);
}

static int isFile(const char *folder, const char *name)
{
    char path[TOSSL_PATH_SIZE];
    struct stat is;

    return set(path, sizeof path, "%s/%s", folder, name) && stat(path, &is) == 0 && S_ISREG(is.st_mode);
}

/* Follows all links; a path that leads nowhere stays. */
static void follow(const char *path, char to[TOSSL_PATH_SIZE])
{
#if defined(_WIN32)
    char *real = _fullpath(NULL, path, 0);
#else
    char *real = realpath(path, NULL);
#endif

    set(to, TOSSL_PATH_SIZE, "%s%s", real ? real : path, "");
    free(real);
}

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
    FILE *file = set(path, sizeof path, "%s/%s", folder, "pyvenv.cfg") ? fopen(path, "r") : NULL;

    if (file == NULL) {
        return 0;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        if (split(line, &name, &value) <= 0) {
            continue;
        }
        if (strcmp(name, "home") == 0) {
            set(home, TOSSL_PATH_SIZE, "%s%s", value, "");
        } else if (strcmp(name, "version") == 0 || strcmp(name, "version_info") == 0) {
            TosslReadVersion(value, version);
        }
    }
    fclose(file);
    return 1;
}

/* ---- python.cfg ---- */

/* Makes a path absolute, from the file's folder. Returns whether it fits. */
static int setPath(char to[TOSSL_PATH_SIZE], const char *folder, const char *path)
{
    return isAbsolute(path) ? set(to, TOSSL_PATH_SIZE, "%s%s", path, "") : set(to, TOSSL_PATH_SIZE, "%s/%s", folder, path);
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
        return set(python->version, sizeof python->version, "%s%s", value, "");
    }
    if (strcmp(name, "library") == 0) {
        return strpbrk(value, PATH_SEPARATORS) ? setPath(python->library, folder, value)
                                               : set(python->library, TOSSL_PATH_SIZE, "%s%s", value, "");
    }
    if (strcmp(name, "mend") == 0) {
        return set(python->mend, TOSSL_PATH_SIZE, "%s%s", value, "");
    }
    return strcmp(name, "packages") == 0 && setPath(path, folder, value) &&
           set(python->packages + length, TOSSL_PATH_SIZE - length, "%s\n%s", path, "");
}

static int readLines(Tcl_Interp *interp, FILE *file, const char *folder, TosslPython *python)
{
    char line[TOSSL_PATH_SIZE], *name, *value;
    int number = 0, kind;

    while (fgets(line, sizeof line, file) != NULL) {
        number++;
        kind = split(line, &name, &value);
        if (kind < 0 || (kind > 0 && (*value == '\0' || !setValue(python, folder, name, value)))) {
            return TosslRefuse(interp, Tcl_ObjPrintf("tossl does not know its Python: line %d of %s is not `name = value` "
                                                     "with program, version, library, home, packages or mend; %s",
                                                     number, python->source, python->mend));
        }
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

    set(python->source, TOSSL_PATH_SIZE, "%s/%s", folder, "python.cfg");
    set(python->mend, TOSSL_PATH_SIZE, "run make in %s, or let TOSSL_PYTHON name %s", folder, ENVIRONMENT);
    file = fopen(python->source, "r");
    if (file == NULL) {
        return TosslRefuse(interp, Tcl_ObjPrintf("tossl does not know its Python: %s cannot be read: %s; %s",
                                                 python->source, Tcl_PosixError(interp), python->mend));
    }
    code = readLines(interp, file, folder, python);
    fclose(file);
    return code;
}

/* ---- the program ---- */

/* Returns whether a link leads to nothing. */
static int leadsNowhere(const char *path)
{
#if defined(_WIN32)
    (void)path;
    return 0;
#else
    struct stat is;

    return stat(path, &is) != 0 && lstat(path, &is) == 0;
#endif
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
        return "cannot be executed";
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
    const char *name = nameOf(path), *end;

    if (strncmp(name, "python", 6) == 0 && isdigit((unsigned char)name[6]) && strchr(name, '.') != NULL) {
        TosslReadVersion(name + 6, version);
        for (end = name + 6; isdigit((unsigned char)*end) || *end == '.'; end++) {
        }
        if (*end == 't') {
            strcat(version, "t");
        }
    }
}

/* Reads pyvenv.cfg beside the program, or in the folder above. */
static void readProgram(TosslPython *python, char home[TOSSL_PATH_SIZE])
{
    char folder[TOSSL_PATH_SIZE], version[16] = "";

    set(folder, sizeof folder, "%s%s", python->program, "");
    if (goUp(folder) && !readEnvironment(folder, version, home) && goUp(folder)) {
        readEnvironment(folder, version, home);
    }
    if (*python->version == '\0') {
        set(python->version, sizeof python->version, "%s%s", version, "");
    }
}

static int readVersion(Tcl_Interp *interp, TosslPython *python)
{
    char home[TOSSL_PATH_SIZE], real[TOSSL_PATH_SIZE];

    if (*python->version == '\0') {
        readProgram(python, home);
    }
    if (*python->version == '\0') {
        follow(python->program, real);
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
    const char *chosen = getenv("TOSSL_PYTHON"), *fault;

    memset(python, 0, sizeof *python);
    if (chosen != NULL && *chosen != '\0') {
        set(python->mend, TOSSL_PATH_SIZE, "let TOSSL_PYTHON name %s, or do not set it%s", ENVIRONMENT, "");
        set(python->source, TOSSL_PATH_SIZE, "%s%s", "TOSSL_PYTHON", "");
        set(python->program, TOSSL_PATH_SIZE, "%s%s", chosen, "");
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

/* ---- its library ---- */

typedef struct {
    char (*paths)[TOSSL_PATH_SIZE];
    int count, most;
} Places;

static void addPlace(Places *places, const char *folder, const char *name)
{
    int i;

    if (places->count == places->most ||
        !set(places->paths[places->count], TOSSL_PATH_SIZE, *folder ? "%s/%s" : "%s%s", folder, name)) {
        return;
    }
    for (i = 0; i < places->count; i++) {
        if (strcmp(places->paths[i], places->paths[places->count]) == 0) {
            return;
        }
    }
    places->count++;
}

/* A library's file names: with the letters that the program's name has. */
static void nameLibrary(const TosslPython *python, char name[64])
{
#if defined(_WIN32)
    const char *dot = strchr(python->version, '.');

    snprintf(name, 64, "python%.*s%s.dll", (int)(dot ? dot - python->version : 0), python->version, dot ? dot + 1 : "");
#elif defined(__APPLE__)
    snprintf(name, 64, "libpython%s.dylib", python->version);
#else
    snprintf(name, 64, "libpython%s.so.1.0", python->version);
#endif
}

static void addPlaces(Places *places, const char *prefix, const char *name)
{
    static const char *const folders[] = {"lib", "lib64", MULTIARCH};
    char folder[TOSSL_PATH_SIZE];
    size_t i;

#if defined(_WIN32)
    addPlace(places, prefix, name);
#elif defined(__APPLE__)
    addPlace(places, prefix, "Python"); /* of a framework */
#endif
    for (i = 0; i < sizeof folders / sizeof *folders; i++) {
        if (set(folder, sizeof folder, "%s/%s", prefix, folders[i])) {
            addPlace(places, folder, name);
        }
    }
}

/* Sets the folders in which a program's Python may be: that of its environment, and that behind its links. */
static void findPrefixes(TosslPython *python, char prefixes[2][TOSSL_PATH_SIZE])
{
    prefixes[0][0] = prefixes[1][0] = '\0';
    if (*python->home != '\0') {
        set(prefixes[0], TOSSL_PATH_SIZE, "%s%s", python->home, "");
        return;
    }
    readProgram(python, prefixes[0]);
    follow(python->program, prefixes[1]);
    if (*prefixes[0] != '\0') {
#if !defined(_WIN32)
        goUp(prefixes[0]); /* from its bin */
#endif
    }
    goUp(prefixes[1]);
#if !defined(_WIN32)
    goUp(prefixes[1]);
#endif
}

int TosslListLibraries(const TosslPython *python, char paths[][TOSSL_PATH_SIZE], int most)
{
    Places places = {.paths = paths, .most = most};
    char prefixes[2][TOSSL_PATH_SIZE], name[64];
    TosslPython copy = *python;
    int i;

    if (*python->library != '\0') {
        addPlace(&places, "", python->library);
        return places.count;
    }
    nameLibrary(python, name);
    findPrefixes(&copy, prefixes);
    for (i = 0; i < 2; i++) {
        if (*prefixes[i] != '\0') {
            addPlaces(&places, prefixes[i], name);
        }
    }
    addPlace(&places, "", name);
    return places.count;
}

/* ---- its standard library ---- */

/* Returns whether a prefix has the standard library: as files, or zipped. */
static int isPrefix(const TosslPython *python, const char *prefix)
{
    static const char *const folders[] = {"lib", "lib64"};
    const char *dot = strchr(python->version, '.');
    char name[64];
    size_t i;

#if defined(_WIN32)
    if (isFile(prefix, "Lib/encodings/__init__.py")) {
        return 1;
    }
#endif
    for (i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(name, sizeof name, "%s/python%s/encodings/__init__.py", folders[i], python->version);
        if (isFile(prefix, name)) {
            return 1;
        }
        snprintf(name, sizeof name, "%s/python%.*s%s.zip", folders[i], (int)(dot ? dot - python->version : 0),
                 python->version, dot ? dot + 1 : "");
        if (isFile(prefix, name)) {
            return 1;
        }
    }
    return 0;
}

/* Goes up from a path to a folder with the standard library; returns whether there is one. */
static int searchUp(const TosslPython *python, char path[TOSSL_PATH_SIZE])
{
    do {
        if (isPrefix(python, path)) {
            return 1;
        }
    } while (goUp(path));
    return 0;
}

/* Makes sure that Python will find its standard library; tells it the folder, if only the library leads there. */
int TosslFindHome(Tcl_Interp *interp, TosslPython *python, const char *library)
{
    char prefixes[2][TOSSL_PATH_SIZE], path[TOSSL_PATH_SIZE];
    int i;

    findPrefixes(python, prefixes);
    for (i = 0; i < 2; i++) {
        if (*prefixes[i] != '\0' && set(path, sizeof path, "%s%s", prefixes[i], "") && searchUp(python, path)) {
            return TCL_OK;
        }
    }
    follow(library, path);
    if (*python->home == '\0' && searchUp(python, path)) {
        set(python->home, TOSSL_PATH_SIZE, "%s%s", path, "");
        return TCL_OK;
    }
    return TosslRefuse(interp, Tcl_ObjPrintf("Python %s has no standard library: lib/python%s/encodings was looked for in %s, "
                                             "named by %s, and above %s; install it (Debian: apt-get install "
                                             "libpython%s-stdlib), or %s",
                                             python->version, python->version,
                                             *prefixes[1] ? prefixes[1] : prefixes[0], python->source, library,
                                             python->version, python->mend));
}
