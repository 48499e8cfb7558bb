/*
 * Called by Tcl's `load`. Finds the Python of this process, else the one that tossl was installed for, and opens the
 * bridge for it and for this Tcl, which is linked with no Python: it finds Python's symbols in the process.
 */
#define _GNU_SOURCE
#define TCL_THREADS 1 /* else Tcl_MutexLock() does nothing */
#define TOSSL_LOADER
#include "loader.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_PLACES 10

static Tcl_Mutex loading;
static TosslOpenBridge *openBridge; /* once it was found */
static TosslPython python;          /* that it starts */

int TosslRefuse(Tcl_Interp *interp, Tcl_Obj *reason)
{
    Tcl_SetObjResult(interp, reason);
    Tcl_SetErrorCode(interp, "TOSSL", "PYTHON", (char *)NULL);
    return TCL_ERROR;
}

/* ---- the bridge ---- */

/* Adds what mends the lack of a bridge for that version. */
static void advise(Tcl_Obj *message, const char *version)
{
    const char *dot = strchr(version, '.');

    if (strchr(version, 't') != NULL) {
        Tcl_AppendToObj(message, "; a free-threaded Python cannot be used", -1);
    } else if (atoi(version) < 3 || (atoi(version) == 3 && dot != NULL && atoi(dot + 1) < 11)) {
        Tcl_AppendToObj(message, "; Python 3.11 is the first that tossl can use", -1);
    } else {
        Tcl_AppendPrintfToObj(message, ", or build tossl with make PYTHON=python%s", version);
    }
}

/* Sets the bridge's path. Refuses if it is not there; `what` says whose version it is. */
static int findBridge(Tcl_Interp *interp, const char *folder, const char *version, const char *what,
                      char path[TOSSL_PATH_SIZE])
{
    int length = snprintf(path, TOSSL_PATH_SIZE, "%s/" TOSSL_BRIDGE "%s" TOSSL_LIBRARY_END, folder, version);
    Tcl_Obj *message, *bridges;

    if (length < TOSSL_PATH_SIZE && TosslMayExist(path)) {
        return TCL_OK;
    }
    bridges = TosslListBridges(folder);
    Tcl_IncrRefCount(bridges);
    message = Tcl_ObjPrintf("%s, but this tossl is built for %s (in %s, for Tcl " TCL_VERSION "): use that", what,
                            Tcl_GetString(bridges), folder);
    Tcl_DecrRefCount(bridges);
    advise(message, version);
    return TosslRefuse(interp, message);
}

/* Opens the bridge: it must find all of Python's symbols in the process now. */
static int openFound(Tcl_Interp *interp, const char *path)
{
    void *bridge = TosslOpenLibrary(path, 0);

    openBridge = bridge ? (TosslOpenBridge *)(intptr_t)TosslFindSymbol(bridge, "TosslOpen") : NULL;
    if (openBridge == NULL) {
        return TosslRefuse(interp, Tcl_ObjPrintf("cannot open tossl's bridge to Python: %s; it must be readable, whole and "
                                                "of this machine's architecture: install tossl again", TosslSayError()));
    }
    return TCL_OK;
}

/* ---- words ---- */

/* Returns the words for the choice: "/usr/bin/python3, named by TOSSL_PYTHON, is of Python 3.8". */
static const char *describeChoice(void)
{
    static char text[3 * TOSSL_PATH_SIZE]; /* under the lock */

    snprintf(text, sizeof text, "%s, named by %s, is of Python %s", *python.program ? python.program : python.home,
             python.source, python.version);
    return text;
}

/* ---- a Python in the process ---- */

/* Returns the words for one: "this process has Python 3.8.1 already (LIBRARY)". */
static const char *describe(const TosslPresent *present)
{
    static char text[TOSSL_PATH_SIZE + 100]; /* under the lock */
    const char *version = present->getVersion();

    snprintf(text, sizeof text, "this process is or has Python %.*s%s already (%s)", (int)strcspn(version, " "), version,
             strstr(version, "free-threading build") ? "t" : "", present->library);
    return text;
}

/* Refuses two Pythons, of different versions or both in use: each would call functions of the other. */
static int checkOthers(Tcl_Interp *interp, const TosslPresent *found, int count)
{
    char first[16], other[16];
    const char *version;
    int i;

    TosslReadVersion(found[0].getVersion(), first);
    for (i = 1; i < count; i++) {
        version = found[i].getVersion();
        TosslReadVersion(version, other);
        if (strcmp(first, other) != 0 || found[i].isStarted()) {
            return TosslRefuse(interp, Tcl_ObjPrintf("%s, and another, Python %.*s (%s): use only one of them in a process",
                                                     describe(found), (int)strcspn(version, " "), version,
                                                     found[i].library));
        }
    }
    return TCL_OK;
}

/* Lets everybody find its symbols: Python's extension modules and the bridge look for them in the process. */
static int share(Tcl_Interp *interp, const TosslPresent *present)
{
    if (!present->isGlobal && TosslOpenLibrary(present->library, 1) == NULL) {
        return TosslRefuse(interp, Tcl_ObjPrintf("cannot share Python's symbols: %s", TosslSayError()));
    }
    return TCL_OK;
}

/* Checks a Python that nobody has started: it must be the one whose standard library it would get. */
static int checkUnstarted(Tcl_Interp *interp, const char *folder, const TosslPresent *present, const char *version)
{
    char places[MOST_PLACES][TOSSL_PATH_SIZE];
    int count, i;

    if (TosslReadChoice(interp, folder, &python) != TCL_OK) {
        return TCL_ERROR;
    }
    if (strcmp(python.version, version) != 0) {
        return TosslRefuse(interp, Tcl_ObjPrintf("%s, but %s: use only one of them in a process",
                                                 describe(present), describeChoice()));
    }
    count = TosslListLibraries(&python, places, MOST_PLACES);
    for (i = 0; i < count && !TosslIsSameFile(places[i], present->library); i++) {
    }
    if (i == count && strstr(present->library, "libpython") != NULL) {
        return TosslRefuse(interp, Tcl_ObjPrintf("%s, but %s and belongs to %s: start this process without "
                                                 "LD_PRELOAD and LD_LIBRARY_PATH, or let TOSSL_PYTHON name a python that "
                                                 "belongs to the library in the process",
                                                 describe(present), describeChoice(), places[0]));
    }
    return TosslFindHome(interp, &python, present->library);
}

/* Uses the Python that is here. Its version is compared before anything else of it is called. */
static int usePresent(Tcl_Interp *interp, const char *folder, const TosslPresent *found, int count)
{
    char version[16], bridge[TOSSL_PATH_SIZE];

    TosslReadVersion(found->getVersion(), version);
    if (checkOthers(interp, found, count) != TCL_OK ||
        findBridge(interp, folder, version, describe(found), bridge) != TCL_OK || share(interp, found) != TCL_OK) {
        return TCL_ERROR;
    }
    if (!found->isStarted() && checkUnstarted(interp, folder, found, version) != TCL_OK) {
        return TCL_ERROR;
    }
    return openFound(interp, bridge);
}

/* ---- a Python that is opened now ---- */

static int refuseMissing(Tcl_Interp *interp, char places[][TOSSL_PATH_SIZE], int count, Tcl_Obj *reasons)
{
    Tcl_Obj *list = Tcl_NewObj();
    int i;

    Tcl_IncrRefCount(list);
    for (i = 0; i < count; i++) {
        Tcl_AppendPrintfToObj(list, i ? ", %s" : "%s", places[i]);
    }
    TosslRefuse(interp, Tcl_ObjPrintf("%s, and the library of that Python is not there or cannot be opened: looked for %s%s. Was that Python upgraded, moved or removed? Install "
                                      "its library (Debian: apt-get install libpython%s), or %s",
                                      describeChoice(), Tcl_GetString(list), Tcl_GetString(reasons), python.version,
                                      python.mend));
    Tcl_DecrRefCount(list);
    return TCL_ERROR;
}

/* Opens the first libpython that is there. */
static void *openPython(Tcl_Interp *interp, char path[TOSSL_PATH_SIZE])
{
    char places[MOST_PLACES][TOSSL_PATH_SIZE];
    int count = TosslListLibraries(&python, places, MOST_PLACES), i;
    Tcl_Obj *reasons = Tcl_NewObj();
    void *library = NULL;

    Tcl_IncrRefCount(reasons);
    for (i = 0; i < count && library == NULL; i++) {
        library = TosslOpenLibrary(places[i], 1);
        memcpy(path, places[i], TOSSL_PATH_SIZE);
        if (library == NULL && TosslMayExist(places[i])) {
            Tcl_AppendPrintfToObj(reasons, " (%s)", TosslSayError());
        }
    }
    if (library == NULL) {
        refuseMissing(interp, places, count, reasons);
    }
    Tcl_DecrRefCount(reasons);
    return library;
}

/* Compares the version that the library itself has, and sets its path if the system has found it. */
static int checkOpened(Tcl_Interp *interp, void *library, char path[TOSSL_PATH_SIZE])
{
    const char *(*getVersion)(void) = (const char *(*)(void))(intptr_t)TosslFindSymbol(library, "Py_GetVersion");
    const char *text = getVersion ? getVersion() : "none";
    char version[16];

    if (getVersion != NULL) {
        TosslLocate((void *)(intptr_t)getVersion, path);
    }
    TosslReadVersion(text, version);
    if (strcmp(version, python.version) != 0) {
        return TosslRefuse(interp, Tcl_ObjPrintf("%s is the library of Python %.*s, but %s; %s", path,
                                                 (int)strcspn(text, " "), text, describeChoice(), python.mend));
    }
    return TCL_OK;
}

static int openInstalled(Tcl_Interp *interp, const char *folder)
{
    char bridge[TOSSL_PATH_SIZE], path[TOSSL_PATH_SIZE];
    void *library;

    if (TosslReadChoice(interp, folder, &python) != TCL_OK ||
        findBridge(interp, folder, python.version, describeChoice(), bridge) != TCL_OK) {
        return TCL_ERROR;
    }
    library = openPython(interp, path);
    if (library == NULL) {
        return TCL_ERROR;
    }
    if (checkOpened(interp, library, path) != TCL_OK || TosslFindHome(interp, &python, path) != TCL_OK ||
        openFound(interp, bridge) != TCL_OK) {
        TosslCloseLibrary(library); /* the next try finds the process as this one did */
        return TCL_ERROR;
    }
    return TCL_OK;
}

/* ---- the way in ---- */

static int findPython(Tcl_Interp *interp)
{
    static TosslPresent found[TOSSL_MOST_PRESENT]; /* under the lock */
    char folder[TOSSL_PATH_SIZE];
    int count;

    if (!TosslFindFolder(folder)) {
        return TosslRefuse(interp, Tcl_NewStringObj("cannot tell the folder of tossl's own library", -1));
    }
    count = TosslListPresent(found);
    return count > 0 ? usePresent(interp, folder, found, count) : openInstalled(interp, folder);
}

/* A Tcl that is not the one of this library only looks at the first word of its interpreters for a reason. */
static int initStubs(Tcl_Interp *interp)
{
    static char reason[] = "this library of tossl is for Tcl " TCL_VERSION
#if TCL_MAJOR_VERSION >= 9
                           "; that for Tcl 8.6 is libtossl" TOSSL_LIBRARY_END;
#else
                           "; that for Tcl 9 is libtcl9tossl" TOSSL_LIBRARY_END;
#endif
    struct {
        char *result;
    } *legacy = (void *)interp;

    if (Tcl_InitStubs(interp, TCL_VERSION, 0) != NULL) {
        return 1;
    }
    if (legacy->result != NULL && strncmp(legacy->result, "interpreter uses an incompatible stubs", 38) == 0) {
        legacy->result = reason;
    }
    return 0;
}

DLLEXPORT int Tossl_Init(Tcl_Interp *interp)
{
    int code = TCL_OK;

    if (!initStubs(interp)) {
        return TCL_ERROR;
    }
    Tcl_MutexLock(&loading);
    if (openBridge == NULL) {
        code = findPython(interp);
    }
    Tcl_MutexUnlock(&loading);
    return code == TCL_OK ? openBridge(interp, &python) : TCL_ERROR;
}

DLLEXPORT int Tossl_SafeInit(Tcl_Interp *interp)
{
    if (!initStubs(interp)) {
        return TCL_ERROR;
    }
    Tcl_SetObjResult(interp, Tcl_NewStringObj("package tossl cannot be loaded into a safe interpreter: "
                                              "it opens network connections and reads and writes files", -1));
    Tcl_SetErrorCode(interp, "TOSSL", "SAFE", (char *)NULL);
    return TCL_ERROR;
}
