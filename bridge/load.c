/*
 * Called by Tcl's `load`. Provides package tossl, or the package in ::tossl::package (see pkgIndex.tcl): a process can
 * load a library under one name only.
 */
#include "tossl.h"

#include <string.h>

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

/* Names the Python that does not find the package, or cannot load it. */
static int failedToImport(Tcl_Interp *interp)
{
    PyObject *prefix = PySys_GetObject("prefix"); /* borrowed */
    const char *folder = prefix && PyUnicode_Check(prefix) ? PyUnicode_AsUTF8(prefix) : NULL;
    Tcl_Obj *message;

    (void)failed(interp, "cannot load the Python package tossl_acme");
    message = Tcl_DuplicateObj(Tcl_GetObjResult(interp));
    Tcl_AppendPrintfToObj(message, "; Python %.*s is that of %s", (int)strcspn(Py_GetVersion(), " "), Py_GetVersion(),
                          folder ? folder : "an unknown folder");
    if (!TosslOwnsPython()) {
        Tcl_AppendToObj(message, ", started by something else in this process: load tossl before it, or install tossl_acme "
                                 "there", -1);
    }
    return TosslRefuse(interp, message);
}

static int registerPackage(Tcl_Interp *interp, const char *package)
{
    PyObject *module, *host, *result = NULL;

    module = TosslWatchForks() ? PyImport_ImportModule("tossl_acme") : NULL;
    if (module == NULL) {
        return failedToImport(interp);
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

DLLEXPORT int Tossl_Init(Tcl_Interp *interp)
{
    const char *package;
    PyGILState_STATE gil;
    int code;

    if (Tcl_InitStubs(interp, TCL_VERSION, 0) == NULL || TosslStartPython(interp) != TCL_OK) {
        return TCL_ERROR;
    }
    package = Tcl_GetVar2(interp, "::tossl::package", NULL, TCL_GLOBAL_ONLY);
    if (!TosslEnter(&gil)) {
        return TosslRefuse(interp, Tcl_NewStringObj(TosslForked, -1));
    }
    code = registerPackage(interp, package ? package : "tossl");
    TosslLeave(gil);
    return code;
}

DLLEXPORT int Tossl_SafeInit(Tcl_Interp *interp)
{
    if (Tcl_InitStubs(interp, TCL_VERSION, 0) == NULL) {
        return TCL_ERROR;
    }
    Tcl_SetObjResult(interp, Tcl_NewStringObj("package tossl cannot be loaded into a safe interpreter: "
                                              "it opens network connections and reads and writes files", -1));
    Tcl_SetErrorCode(interp, "TOSSL", "SAFE", (char *)NULL);
    return TCL_ERROR;
}
