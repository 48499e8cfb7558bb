/* What Tcl's `load` calls: package tossl, and package tossl::acme for those who have another tossl. */
#include "tossl.h"

/* The message of the Python exception that is set, as the interpreter's result. */
static int failed(Tcl_Interp *interp, const char *what)
{
    PyObject *type, *value, *trace, *text = NULL;
    Tcl_Obj *message = NULL;

    PyErr_Fetch(&type, &value, &trace);
    if (value != NULL && (text = PyObject_Str(value)) != NULL) {
        message = TosslToTcl(text);
    }
    PyErr_Clear();
    Tcl_SetObjResult(interp, Tcl_ObjPrintf("%s: %s: %s", what, type ? ((PyTypeObject *)type)->tp_name : "error",
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

static int registerPackage(Tcl_Interp *interp, const char *package)
{
    PyObject *module, *host, *result = NULL;

    module = PyImport_ImportModule("tossl_acme");
    if (module == NULL) {
        return failed(interp, "cannot load the Python package tossl_acme");
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

static int initPackage(Tcl_Interp *interp, const char *package)
{
    PyGILState_STATE gil;
    int code;

    if (Tcl_InitStubs(interp, TCL_VERSION, 0) == NULL || TosslStartPython(interp) != TCL_OK) {
        return TCL_ERROR;
    }
    gil = PyGILState_Ensure();
    code = registerPackage(interp, package);
    PyGILState_Release(gil);
    return code;
}

static int refuse(Tcl_Interp *interp, const char *package)
{
    if (Tcl_InitStubs(interp, TCL_VERSION, 0) == NULL) {
        return TCL_ERROR;
    }
    Tcl_SetObjResult(interp, Tcl_ObjPrintf("package %s cannot be loaded into a safe interpreter: "
                                           "it opens network connections and reads and writes files", package));
    Tcl_SetErrorCode(interp, "TOSSL", "SAFE", (char *)NULL);
    return TCL_ERROR;
}

DLLEXPORT int Tossl_Init(Tcl_Interp *interp)
{
    return initPackage(interp, "tossl");
}

DLLEXPORT int Tossl_SafeInit(Tcl_Interp *interp)
{
    return refuse(interp, "tossl");
}

DLLEXPORT int Tosslacme_Init(Tcl_Interp *interp)
{
    return initPackage(interp, "tossl::acme");
}

DLLEXPORT int Tosslacme_SafeInit(Tcl_Interp *interp)
{
    return refuse(interp, "tossl::acme");
}
