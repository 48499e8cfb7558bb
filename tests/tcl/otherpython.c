/*
 * An extension that runs Python in its own way:
 *
 *   otherpython::start keep|release|thread    starts Python, and keeps its lock, releases it, or keeps it in a thread
 *   otherpython::run CODE                     runs Python code, whoever started Python
 *   otherpython::open LIBRARY                 brings in a library, its symbols kept to itself
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <dlfcn.h>
#include <pthread.h>
#include <string.h>
#include <tcl.h>
#include <unistd.h>

static void *keepForever(void *unused)
{
    (void)unused;
    (void)PyGILState_Ensure();
    for (;;) {
        pause();
    }
    return NULL;
}

static int start(void *client, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    const char *how = objc == 2 ? Tcl_GetString(objv[1]) : "";
    pthread_t thread;

    (void)client, (void)interp;
    Py_InitializeEx(0);
    if (strcmp(how, "keep") != 0) {
        (void)PyEval_SaveThread();
    }
    if (strcmp(how, "thread") == 0) {
        pthread_create(&thread, NULL, keepForever, NULL);
        usleep(200000); /* nothing tells when it has the lock */
    }
    return TCL_OK;
}

static int run(void *client, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    PyGILState_STATE gil;
    int failed;

    (void)client;
    if (objc != 2 || !Py_IsInitialized()) {
        Tcl_SetObjResult(interp, Tcl_NewStringObj("Python is not there", -1));
        return TCL_ERROR;
    }
    gil = PyGILState_Ensure();
    failed = PyRun_SimpleString(Tcl_GetString(objv[1]));
    PyGILState_Release(gil);
    return failed ? TCL_ERROR : TCL_OK;
}

static int openLibrary(void *client, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    (void)client;
    if (objc != 2 || dlopen(Tcl_GetString(objv[1]), RTLD_NOW | RTLD_LOCAL) == NULL) {
        Tcl_SetObjResult(interp, Tcl_NewStringObj(dlerror(), -1));
        return TCL_ERROR;
    }
    return TCL_OK;
}

DLLEXPORT int Otherpython_Init(Tcl_Interp *interp)
{
    if (Tcl_InitStubs(interp, TCL_VERSION, 0) == NULL) {
        return TCL_ERROR;
    }
    Tcl_CreateObjCommand(interp, "::otherpython::start", start, NULL, NULL);
    Tcl_CreateObjCommand(interp, "::otherpython::run", run, NULL, NULL);
    Tcl_CreateObjCommand(interp, "::otherpython::open", openLibrary, NULL, NULL);
    return TCL_OK;
}
