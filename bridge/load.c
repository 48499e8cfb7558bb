/*
 * Called by the loader. Provides the package in ::tossl::package (see pkgIndex.tcl): a process can load a library under one
 * name only. Without that variable the Python package chooses.
 */
#include "tossl.h"

#include <string.h>

int TosslRefuse(Tcl_Interp *interp, Tcl_Obj *reason)
{
    Tcl_SetObjResult(interp, reason);
    Tcl_SetErrorCode(interp, "TOSSL", "PYTHON", (char *)NULL);
    return TCL_ERROR;
}

/* Sets the interpreter's result to the message of the current Python exception. */
static int failed(Tcl_Interp *interp, const char *what)
{
    PyObject *type, *value, *trace, *text = NULL;
    Tcl_Obj *message = NULL;

    PyErr_Fetch(&type, &value, &trace);
    if (value != NULL && (text = PyObject_Str(value)) != NULL) {
        message = TosslToTcl(text);
    }
    PyErr_Clear();
    TosslRefuse(interp, Tcl_ObjPrintf("%s: %s: %s", what, type ? ((PyTypeObject *)type)->tp_name : "error",
                                      message ? Tcl_GetString(message) : "no message"));
    if (message != NULL) {
        Tcl_IncrRefCount(message);
        Tcl_DecrRefCount(message);
    }
    Py_XDECREF(text);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(trace);
    return TCL_ERROR;
}

/* Names the Python that does not find the package, or cannot load it, and what is to be done. */
static int failedToImport(Tcl_Interp *interp, const char *mend)
{
    PyObject *prefix = PySys_GetObject("prefix"), *folder; /* the first is borrowed */
    Tcl_Obj *message;

    (void)failed(interp, "cannot load the Python package tossl_acme");
    folder = prefix ? PyUnicode_EncodeFSDefault(prefix) : NULL;
    message = Tcl_DuplicateObj(Tcl_GetObjResult(interp));
    Tcl_AppendPrintfToObj(message, "; Python %.*s is that of %s", (int)strcspn(Py_GetVersion(), " "), Py_GetVersion(),
                          folder ? PyBytes_AsString(folder) : "an unknown folder");
    Py_XDECREF(folder);
    PyErr_Clear();
    if (TosslOwnsPython()) {
        Tcl_AppendPrintfToObj(message, "; %s", mend);
    } else {
        Tcl_AppendToObj(message, ", started by something else in this process: load tossl before it, or install tossl_acme "
                                 "there", -1);
    }
    return TosslRefuse(interp, message);
}

static int registerPackage(Tcl_Interp *interp, const char *package, const char *mend)
{
    PyObject *module, *host, *result = NULL;

    module = TosslWatchForks() ? PyImport_ImportModule("tossl_acme") : NULL;
    if (module == NULL) {
        return failedToImport(interp, mend);
    }
    host = TosslNewInterp(interp);
    if (host != NULL) {
        result = PyObject_CallMethod(module, "register", "Os", host, package);
    }
    Py_XDECREF(host);
    Py_DECREF(module);
    if (result == NULL) {
        return failed(interp, "cannot set up the package");
    }
    Py_DECREF(result);
    return TCL_OK;
}

/* The loader looks up this symbol alone. It sets the stubs of Tcl in this library: the loader has others. */
DLLEXPORT int TosslOpen(Tcl_Interp *interp, const TosslPython *python)
{
    PyGILState_STATE gil;
    const char *package;
    int code;

    if (Tcl_InitStubs(interp, TCL_VERSION, 0) == NULL || TosslStartPython(interp, python) != TCL_OK) {
        return TCL_ERROR;
    }
    package = Tcl_GetVar2(interp, "::tossl::package", NULL, TCL_GLOBAL_ONLY);
    if (!TosslEnter(&gil)) {
        return TosslRefuse(interp, Tcl_NewStringObj(TosslForked, -1));
    }
    code = registerPackage(interp, package ? package : "", python->mend);
    TosslLeave(gil);
    return code;
}
