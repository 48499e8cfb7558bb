/* Starts Python, once per process, in the environment that the loader found, and never ends it. */
#define _GNU_SOURCE
#include "tossl.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int isOurs;                                           /* Python was started here */
static int isChecked;                                        /* under this lock: Python was checked, and fits */
static pthread_mutex_t starting = PTHREAD_MUTEX_INITIALIZER; /* Tcl_Mutex does nothing unless TCL_THREADS is defined */

/* Sets where Python is. Without a program it would look for one in the caller's PATH. */
static PyStatus setPaths(PyConfig *config, const TosslPython *python)
{
    char program[2 * TOSSL_PATH_SIZE];
    PyStatus status;

    snprintf(program, sizeof program, "%s%s", *python->program ? python->program : python->home,
             *python->program ? "" : "/bin/python3");
    status = PyConfig_SetBytesString(config, &config->program_name, program);
    if (!PyStatus_Exception(status)) {
        status = PyConfig_SetBytesString(config, &config->executable, program);
    }
    if (!PyStatus_Exception(status) && *python->home != '\0') {
        status = PyConfig_SetBytesString(config, &config->home, python->home);
    }
    return status;
}

/*
 * Starts Python isolated: without the user's PYTHON* variables (PYTHONHOME, PYTHONPATH, ...), user site and signal
 * handlers. UTF-8 in every locale.
 */
static PyStatus initialize(const TosslPython *python)
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
    status = setPaths(&config, python);
    if (!PyStatus_Exception(status)) {
        status = Py_InitializeFromConfig(&config);
    }
    PyConfig_Clear(&config);
    return status;
}

/* Python reads these two, isolated or not, as the path of its program, and removes the second. */
static const char *const launchers[] = {"PYTHONEXECUTABLE", "__PYVENV_LAUNCHER__"};
enum { LAUNCHERS = sizeof launchers / sizeof *launchers };

/* Starts Python while these variables are not there; they usually are not. */
static PyStatus initializeHere(const TosslPython *python)
{
    char *kept[LAUNCHERS];
    const char *value;
    PyStatus status;
    int i;

    for (i = 0; i < LAUNCHERS; i++) {
        value = getenv(launchers[i]);
        kept[i] = value ? strdup(value) : NULL;
        if (kept[i] != NULL) {
            (void)unsetenv(launchers[i]);
        }
    }
    status = initialize(python);
    for (i = 0; i < LAUNCHERS; i++) {
        if (kept[i] != NULL) {
            (void)setenv(launchers[i], kept[i], 1);
            free(kept[i]);
        }
    }
    return status;
}

/* Returns the index in sys.path of the first folder of Python's packages; its standard library is before these. */
static Py_ssize_t findPackages(PyObject *path)
{
    PyObject *end = PyUnicode_FromString("-packages"); /* site-packages, dist-packages */
    Py_ssize_t i;

    for (i = 0; i < PyList_Size(path); i++) {
        if (end != NULL && PyUnicode_Check(PyList_GetItem(path, i)) &&
            PyUnicode_Tailmatch(PyList_GetItem(path, i), end, 0, PY_SSIZE_T_MAX, 1) == 1) {
            break;
        }
    }
    Py_XDECREF(end);
    return i;
}

/* Adds folders to sys.path, before those of Python's packages: these may have another tossl_acme. An import tells a lack. */
static void addPackages(const char *packages)
{
    PyObject *path = PySys_GetObject("path"), *folder; /* borrowed */
    Py_ssize_t at = path != NULL && PyList_Check(path) ? findPackages(path) : -1;
    size_t length;

    for (; *packages != '\0' && at >= 0; packages += length + 1) {
        length = strcspn(packages, "\n");
        folder = PyUnicode_DecodeFSDefaultAndSize(packages, (Py_ssize_t)length);
        if (folder != NULL) {
            (void)PyList_Insert(path, at++, folder);
        }
        Py_XDECREF(folder);
    }
    PyErr_Clear();
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

/* Checks a Python that is started: by us, by another extension, or Python is the host. */
static int join(Tcl_Interp *interp)
{
    if (!isChecked && TosslCheckGil(interp) != TCL_OK) {
        return TCL_ERROR;
    }
    if (!isChecked) {
        Tcl_CreateExitHandler(atExitOfOthers, NULL);
    }
    isChecked = 1;
    return TCL_OK;
}

static int start(Tcl_Interp *interp, const TosslPython *python)
{
    static char failure[1000]; /* a Python that failed is not tried again */
    PyStatus status;

    if (*failure == '\0' && Py_IsInitialized()) {
        return join(interp);
    }
    if (*failure == '\0') {
        status = initializeHere(python);
        if (PyStatus_Exception(status)) {
            snprintf(failure, sizeof failure, "%s", status.err_msg ? status.err_msg : "exit");
        }
    }
    if (*failure != '\0') {
        return TosslRefuse(interp, Tcl_ObjPrintf("cannot start Python %s of %s, named by %s: %s; %s", python->version,
                                                 *python->program ? python->program : python->home, python->source,
                                                 failure, python->mend));
    }
    isOurs = isChecked = 1;
    addPackages(python->packages);
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

int TosslStartPython(Tcl_Interp *interp, const TosslPython *python)
{
    int code;

    if (!TosslComeIn()) {
        return TosslRefuse(interp, Tcl_NewStringObj(TosslForked, -1));
    }
    pthread_mutex_lock(&starting);
    code = start(interp, python);
    pthread_mutex_unlock(&starting);
    if (code == TCL_OK) {
        enterThread();
    }
    TosslGoOut();
    return code;
}
