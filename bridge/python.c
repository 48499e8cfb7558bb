/* Starts Python, once per process, in the virtual environment of the build, and never ends it. */
#define _GNU_SOURCE
#include "tossl.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int isOurs;                                           /* Python was started here */
static int isChecked;                                        /* under this lock: Python was checked, and fits */
static pthread_mutex_t starting = PTHREAD_MUTEX_INITIALIZER; /* Tcl_Mutex does nothing unless TCL_THREADS is defined */

/*
 * Makes libpython's symbols global: Tcl loads libraries with local symbols, but Python's extension modules expect
 * libpython's in the process.
 */
static int shareSymbols(Tcl_Interp *interp)
{
    Dl_info info;

    if (dlsym(dlopen(NULL, RTLD_LAZY), "Py_IsInitialized") != NULL) { /* global already, as in python */
        return TCL_OK;
    }
    if (dladdr((void *)(intptr_t)Py_IsInitialized, &info) == 0 || info.dli_fname == NULL ||
        dlopen(info.dli_fname, RTLD_NOLOAD | RTLD_LAZY | RTLD_GLOBAL) == NULL) {
        return TosslRefuse(interp, Tcl_ObjPrintf("cannot share Python's symbols: %s", dlerror()));
    }
    return TCL_OK;
}

/* Returns this library's folder, symbolic links resolved. */
static int findFolder(char folder[PATH_MAX])
{
    Dl_info info;
    char *slash;

    if (dladdr((void *)(intptr_t)TosslStartPython, &info) == 0 || realpath(info.dli_fname, folder) == NULL) {
        return 0;
    }
    slash = strrchr(folder, '/');
    if (slash == NULL) {
        return 0;
    }
    *slash = '\0';
    return 1;
}

/* Returns the virtual environment's python: Python finds the environment by its path. */
static char *findProgram(Tcl_Interp *interp)
{
    const char *chosen = getenv("TOSSL_PYTHON");
    char folder[PATH_MAX], *program = NULL;

    if (chosen != NULL && *chosen != '\0') {
        program = strdup(chosen);
    } else if (findFolder(folder) && asprintf(&program, "%s/.venv/bin/python", folder) < 0) {
        program = NULL;
    }
    if (program == NULL || access(program, X_OK) != 0) {
        TosslRefuse(interp, Tcl_ObjPrintf("tossl has no Python: %s cannot be executed; run make in tossl's folder, "
                                               "or let TOSSL_PYTHON name the python of an environment that has "
                                               "tossl_acme", program ? program : ".venv/bin/python"));
        free(program);
        return NULL;
    }
    return program;
}

/*
 * Starts Python isolated: without the user's PYTHON* variables (PYTHONHOME, PYTHONPATH, ...), user site and signal
 * handlers. UTF-8 in every locale.
 */
static PyStatus initialize(const char *program)
{
    PyPreConfig before;
    PyConfig config;
    PyStatus status;

    PyPreConfig_InitIsolatedConfig(&before);
    before.utf8_mode = 1;
    status = Py_PreInitialize(&before);
    if (PyStatus_Exception(status)) {
        return status;
    }
    PyConfig_InitIsolatedConfig(&config);
    status = PyConfig_SetBytesString(&config, &config.program_name, program);
    if (!PyStatus_Exception(status)) {
        status = PyConfig_SetBytesString(&config, &config.executable, program);
    }
    if (!PyStatus_Exception(status)) {
        status = Py_InitializeFromConfig(&config);
    }
    PyConfig_Clear(&config);
    return status;
}

/* Loads Python's signal module now and restores SIGINT: the module's first import takes SIGINT. */
static void keepSignals(void)
{
    struct sigaction before;
    PyObject *module;

    sigaction(SIGINT, NULL, &before);
    module = PyImport_ImportModule("_signal");
    sigaction(SIGINT, &before, NULL);
    Py_XDECREF(module);
    PyErr_Clear();
}

/* Settles the debts of calls that cannot do so on their way out (tossl_acme/context/farewell.py). Needs the GIL. */
static void sayFarewell(const char *ending)
{
    PyObject *name = PyUnicode_FromString("tossl_acme.context.farewell");
    PyObject *module = name ? PyImport_GetModule(name) : NULL; /* not loaded: nothing was called */
    PyObject *result = module ? PyObject_CallMethod(module, ending, NULL) : NULL;

    Py_XDECREF(result);
    Py_XDECREF(module);
    Py_XDECREF(name);
    PyErr_Clear();
}

/*
 * Runs Python's exit functions at the end of the process (they end the background jobs), then keeps the GIL, so that no
 * thread runs Python code while C's exit handlers unload the libraries.
 */
static void atExit(void *unused)
{
    PyObject *module, *result = NULL;
    PyGILState_STATE gil;

    (void)unused;
    if (!TosslEnter(&gil)) {
        return;
    }
    module = PyImport_ImportModule("atexit");
    if (module != NULL) {
        result = PyObject_CallMethod(module, "_run_exitfuncs", NULL);
    }
    Py_XDECREF(result);
    Py_XDECREF(module);
    PyErr_Clear();
}

/* Runs at the end if another extension started Python, which also ends it. */
static void atExitOfOthers(void *unused)
{
    PyGILState_STATE gil;

    (void)unused;
    if (Py_IsInitialized() && TosslEnter(&gil)) {
        sayFarewell("end_process");
        TosslLeave(gil);
    }
}

/* Returns whether Python was started here. */
int TosslOwnsPython(void)
{
    return isOurs;
}

static int start(Tcl_Interp *interp)
{
    PyStatus status;
    char *program;

    if (TosslCheckVersion(interp) != TCL_OK || shareSymbols(interp) != TCL_OK) {
        return TCL_ERROR;
    }
    if (Py_IsInitialized()) { /* by us, by another extension, or Python is the host */
        if (!isChecked && TosslCheckGil(interp) != TCL_OK) {
            return TCL_ERROR;
        }
        if (!isChecked) {
            Tcl_CreateExitHandler(atExitOfOthers, NULL);
        }
        isChecked = 1;
        return TCL_OK;
    }
    program = findProgram(interp);
    if (program == NULL) {
        return TCL_ERROR;
    }
    status = initialize(program);
    free(program);
    if (PyStatus_Exception(status)) {
        return TosslRefuse(interp, Tcl_ObjPrintf("cannot start Python: %s", status.err_msg ? status.err_msg : "exit"));
    }
    isOurs = isChecked = 1;
    keepSignals();
    (void)PyEval_SaveThread();
    Tcl_CreateExitHandler(atExit, NULL);
    return TCL_OK;
}

static void leaveThread(void *state)
{
    if (!PyGILState_Check() && TosslComeIn()) { /* else the process ends: see atExit */
        PyEval_RestoreThread(state);
        sayFarewell("end_thread");
        PyGILState_Release(PyGILState_UNLOCKED);
        TosslKnowThread(0);
        TosslBeginEnd();
        TosslGoOut();
    }
}

/* Leaves the thread state of the thread that started Python. */
static void leaveFirstThread(void *unused)
{
    (void)unused;
    TosslBeginEnd();
}

/* A thread keeps one Python thread state from its first use to its end: making one per call would cost more. */
static void enterThread(void)
{
    if (PyGILState_GetThisThreadState() == NULL) {
        (void)PyGILState_Ensure();
        Tcl_CreateThreadExitHandler(leaveThread, PyEval_SaveThread());
        TosslKnowThread(1);
    } else if (TosslKnowThread(1)) {
        Tcl_CreateThreadExitHandler(leaveFirstThread, NULL);
    }
}

int TosslStartPython(Tcl_Interp *interp)
{
    int code;

    if (!TosslComeIn()) {
        return TosslRefuse(interp, Tcl_NewStringObj(TosslForked, -1));
    }
    pthread_mutex_lock(&starting);
    code = start(interp);
    pthread_mutex_unlock(&starting);
    if (code == TCL_OK) {
        enterThread();
    }
    TosslGoOut();
    return code;
}
