/*
 * The loader: finds a Python for this process, then opens the bridge for that Python and this Tcl. It is linked with
 * Tcl's stub library alone.
 *
 *   loader.c   called by Tcl's `load`: the steps, and the library and bridge that it opens
 *   where.c    which Python it shall be: python.cfg beside the loader, or TOSSL_PYTHON
 *   places.c   where that Python's library and standard library are
 *   paths.c    texts that are paths
 *   system.c   libraries, symbols and files
 *   present.c  which Pythons are in the process already
 *
 * And what the loader hands to the bridge (load.c).
 */
#ifndef TOSSL_LOADER_H
#define TOSSL_LOADER_H

#include <tcl.h>

#define TOSSL_PATH_SIZE 4096

/* Which Python; an empty text means: not known. */
typedef struct {
    char source[TOSSL_PATH_SIZE];   /* who says so: the path of python.cfg, or TOSSL_PYTHON */
    char program[TOSSL_PATH_SIZE];  /* python of an environment: Python finds its folders by it */
    char version[16];               /* 3.11, 3.13t */
    char library[TOSSL_PATH_SIZE];  /* libpython; a name without a folder is the system's to find */
    char home[TOSSL_PATH_SIZE];     /* with Python's standard library below */
    char packages[TOSSL_PATH_SIZE]; /* folders for sys.path, each with a newline behind it */
    char mend[TOSSL_PATH_SIZE];     /* what to do if that Python is gone: the end of an error's message */
} TosslPython;

/* The bridge's one symbol, "TosslOpen": provides the package in the interpreter. Starts Python if nobody has. */
typedef int TosslOpenBridge(Tcl_Interp *interp, const TosslPython *python);

#ifdef TOSSL_LOADER

#if defined(_WIN32)
#define TOSSL_LIBRARY_END ".dll"
#elif defined(__APPLE__)
#define TOSSL_LIBRARY_END ".dylib"
#else
#define TOSSL_LIBRARY_END ".so"
#endif

#if TCL_MAJOR_VERSION >= 9
#define TOSSL_TCL "9"
#else
#define TOSSL_TCL "8"
#endif

#define TOSSL_BRIDGE "tossl-tcl" TOSSL_TCL "-python" /* and its version: a bridge's file name */

/* A Python that the process has. */
typedef struct {
    const char *(*getVersion)(void);
    int (*isStarted)(void);
    char library[TOSSL_PATH_SIZE]; /* that has it: libpython, an extension, or the program */
    int isGlobal;                  /* everybody finds its symbols */
} TosslPresent;

#define TOSSL_MOST_PRESENT 8

/* present.c */
int TosslListPresent(TosslPresent found[TOSSL_MOST_PRESENT]); /* returns how many; calls nothing of them */
void TosslReadVersion(const char *text, char version[16]);    /* "3.11.2 (main, ...)" -> "3.11" */

/* paths.c */
#if defined(_WIN32)
#define TOSSL_SEPARATORS "/\\"
#else
#define TOSSL_SEPARATORS "/"
#endif
int TosslSetText(char *to, size_t size, const char *format, const char *one, const char *other); /* 0 if it is cut */
const char *TosslNameOf(const char *path);
int TosslGoUp(char *path); /* cuts the last name off; returns whether a folder is left */
int TosslHasText(const char *folder, const char *name); /* a file that can be read and is not empty */
void TosslFollow(const char *path, char to[TOSSL_PATH_SIZE]); /* all links; a path that leads nowhere stays */

/* system.c */
int TosslFindFolder(char folder[TOSSL_PATH_SIZE]); /* of this library, links followed; 0 if unknown */
void *TosslOpenLibrary(const char *path, int isForAll); /* NULL, and TosslSayError() has the reason */
void TosslCloseLibrary(void *library);
const char *TosslSayError(void);
void *TosslFindSymbol(void *library, const char *name);
void TosslLocate(const void *symbol, char path[TOSSL_PATH_SIZE]); /* sets the path of the library that has it */
int TosslIsSameFile(const char *one, const char *other);
int TosslMayExist(const char *path); /* also if nobody may look there */
Tcl_Obj *TosslListBridges(const char *folder); /* the versions of Python, as words for people */

/* where.c: TCL_ERROR with a message in the interpreter */
int TosslReadChoice(Tcl_Interp *interp, const char *folder, TosslPython *python);
void TosslReadProgram(TosslPython *python, char home[TOSSL_PATH_SIZE]); /* pyvenv.cfg beside it, or above */

/* places.c */
int TosslFindHome(Tcl_Interp *interp, TosslPython *python, const char *library);
int TosslListLibraries(const TosslPython *python, char paths[][TOSSL_PATH_SIZE], int most); /* where it may be */

/* loader.c */
int TosslRefuse(Tcl_Interp *interp, Tcl_Obj *reason); /* returns TCL_ERROR, with errorcode TOSSL PYTHON */

#endif
#endif
