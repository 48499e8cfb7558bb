/* A Tcl interpreter as a Python object, with methods of tkinter's: createcommand, call, eval, splitlist, ... */
#include "tossl.h"

static PyObject *TclError;
static PyTypeObject *InterpType;

/* ---- checks before each use ---- */

int TosslInThread(TosslInterp *self)
{
    if (self->thread != Tcl_GetCurrentThread()) {
        PyErr_SetString(PyExc_RuntimeError, "a Tcl interpreter can be used in its own thread only");
        return 0;
    }
    return 1;
}

int TosslUsable(TosslInterp *self)
{
    if (!TosslInThread(self)) {
        return 0;
    }
    if (self->interp == NULL || Tcl_InterpDeleted(self->interp)) {
        PyErr_SetString(PyExc_RuntimeError, "the Tcl interpreter was deleted");
        return 0;
    }
    return 1;
}

static void forget(void *client, Tcl_Interp *interp)
{
    PyGILState_STATE gil;

    (void)interp;
    if (TosslEnter(&gil)) {
        ((TosslInterp *)client)->interp = NULL;
        Py_DECREF((PyObject *)client);
        TosslLeave(gil);
    }
}

/* ---- results ---- */

static PyObject *optionsToPython(Tcl_Interp *interp, int code)
{
    Tcl_Obj *options = Tcl_GetReturnOptions(interp, code), **words;
    PyObject *dict = PyDict_New();
    Tcl_Size i, count;

    Tcl_IncrRefCount(options);
    if (Tcl_ListObjGetElements(NULL, options, &count, &words) != TCL_OK) {
        count = 0;
    }
    for (i = 0; dict != NULL && i + 1 < count; i += 2) {
        PyObject *name = TosslToPython(words[i]), *value = TosslToPython(words[i + 1]);

        if (name == NULL || value == NULL || PyDict_SetItem(dict, name, value) < 0) {
            Py_CLEAR(dict);
        }
        Py_XDECREF(name);
        Py_XDECREF(value);
    }
    Tcl_DecrRefCount(options);
    return dict;
}

/* Sets TclError(message) with the return options as its attribute `options`. */
static PyObject *setError(Tcl_Interp *interp, int code)
{
    PyObject *message = TosslToPython(Tcl_GetObjResult(interp)), *options = NULL, *error = NULL;

    if (message != NULL && (options = optionsToPython(interp, code)) != NULL &&
        (error = PyObject_CallOneArg(TclError, message)) != NULL &&
        PyObject_SetAttrString(error, "options", options) == 0) {
        PyErr_SetObject(TclError, error);
    }
    Py_XDECREF(message);
    Py_XDECREF(options);
    Py_XDECREF(error);
    return NULL;
}

static PyObject *resultToPython(Tcl_Interp *interp, int code)
{
    PyObject *result;

    if (code == TCL_ERROR) {
        result = setError(interp, code);
    } else {
        result = TosslToPython(Tcl_GetObjResult(interp));
    }
    Tcl_ResetResult(interp);
    return result;
}

/* ---- commands ---- */

static int internalError(Tcl_Interp *interp)
{
    PyObject *type = PyErr_Occurred();

    Tcl_SetObjResult(interp, Tcl_ObjPrintf("internal error: %s", type ? ((PyTypeObject *)type)->tp_name : "unknown"));
    Tcl_SetErrorCode(interp, "TOSSL", "INTERNAL", (char *)NULL);
    PyErr_Clear();
    return TCL_ERROR;
}

static int callFunction(PyObject *function, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    PyObject *arguments = TosslTupleToPython(objc - 1, objv + 1), *value = NULL;
    Tcl_Obj *result = NULL;

    if (arguments != NULL && (value = PyObject_Call(function, arguments, NULL)) != NULL) {
        result = TosslToTcl(value);
    }
    Py_XDECREF(arguments);
    Py_XDECREF(value);
    if (result == NULL) {
        return internalError(interp);
    }
    Tcl_SetObjResult(interp, result);
    return TCL_OK;
}

/* Returns a refusal in a command's form: {return options, message}. */
static int refuseForked(Tcl_Interp *interp)
{
    Tcl_Obj *words[2] = {
        Tcl_ObjPrintf("-code error -errorcode {TOSSL FORK} -errorinfo {%s} -errorstack {}", TosslForked),
        Tcl_NewStringObj(TosslForked, -1),
    };

    Tcl_SetObjResult(interp, Tcl_NewListObj(2, words));
    return TCL_OK;
}

/* Leaves Tcl's own error without the words of the call, which contain keys: Tcl would add them. */
static int endedByTcl(Tcl_Interp *interp)
{
    Tcl_Obj *message = Tcl_GetObjResult(interp), *options;

    Tcl_IncrRefCount(message);
    options = Tcl_GetReturnOptions(interp, TCL_ERROR);
    Tcl_DictObjPut(NULL, options, Tcl_NewStringObj("-errorinfo", -1), message);
    Tcl_DictObjPut(NULL, options, Tcl_NewStringObj("-errorstack", -1), Tcl_NewObj());
    Tcl_DecrRefCount(message);
    return Tcl_SetReturnOptions(interp, options);
}

static int runCommand(void *client, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[])
{
    PyGILState_STATE gil;
    PyObject *function;
    int code;

    if (!TosslEnter(&gil)) {
        return refuseForked(interp);
    }
    function = Py_NewRef((PyObject *)client); /* the command may delete itself */
    Tcl_Preserve(interp);
    code = callFunction(function, interp, objc, objv);
    Py_DECREF(function);
    TosslLeave(gil);
    if (Tcl_LimitExceeded(interp)) { /* Tcl has given its message to a script that Python called, and has no other */
        code = Tcl_LimitCheck(interp) == TCL_OK ? code : endedByTcl(interp);
    } else if (Tcl_Canceled(interp, TCL_LEAVE_ERR_MSG) == TCL_ERROR) {
        code = endedByTcl(interp);
    }
    Tcl_Release(interp);
    return code;
}

static void dropCommand(void *client)
{
    PyGILState_STATE gil;

    if (TosslEnter(&gil)) {
        Py_DECREF((PyObject *)client);
        TosslLeave(gil);
    }
}

/* ---- methods ---- */

static PyObject *createCommand(TosslInterp *self, PyObject *args)
{
    PyObject *name, *function;
    Tcl_Obj *word;

    if (!PyArg_ParseTuple(args, "UO:createcommand", &name, &function) || !TosslUsable(self) ||
        (word = TosslToTcl(name)) == NULL) {
        return NULL;
    }
    Tcl_IncrRefCount(word);
    Py_INCREF(function);
    Py_BEGIN_ALLOW_THREADS
    Tcl_CreateObjCommand(self->interp, Tcl_GetString(word), runCommand, function, dropCommand);
    Py_END_ALLOW_THREADS
    Tcl_DecrRefCount(word);
    Py_RETURN_NONE;
}

/*
 * Sets a global variable, also in an interpreter that is deleted and has a script below this call: a vwait there waits for
 * nothing else.
 */
static PyObject *setVar(TosslInterp *self, PyObject *args)
{
    const char *name, *value;

    if (!PyArg_ParseTuple(args, "ss:setvar", &name, &value) || !TosslInThread(self)) {
        return NULL;
    }
    if (self->interp != NULL) {
        Tcl_Interp *interp = self->interp;

        Tcl_Preserve(interp);
        Py_BEGIN_ALLOW_THREADS
        (void)Tcl_SetVar2(interp, name, NULL, value, TCL_GLOBAL_ONLY);
        Py_END_ALLOW_THREADS
        Tcl_Release(interp);
    }
    Py_RETURN_NONE;
}

/* Evaluates a script, or a list of words as one command, at global level. */
static PyObject *evaluate(TosslInterp *self, Tcl_Obj *script)
{
    Tcl_Interp *interp = self->interp;
    PyObject *result;
    int code;

    Tcl_IncrRefCount(script);
    Tcl_Preserve(interp);
    Py_BEGIN_ALLOW_THREADS
    code = Tcl_EvalObjEx(interp, script, TCL_EVAL_GLOBAL | TCL_EVAL_DIRECT);
    TosslComeBack();
    Py_END_ALLOW_THREADS
    result = resultToPython(interp, code);
    Tcl_Release(interp);
    Tcl_DecrRefCount(script);
    return result;
}

static PyObject *callWords(TosslInterp *self, PyObject *args)
{
    Tcl_Obj *script;

    if (!TosslUsable(self) || (script = TosslToTcl(args)) == NULL) {
        return NULL;
    }
    return evaluate(self, script);
}

static PyObject *evalScript(TosslInterp *self, PyObject *text)
{
    Tcl_Obj *script;

    if (!TosslUsable(self) || (script = TosslToTcl(text)) == NULL) {
        return NULL;
    }
    return evaluate(self, script);
}

static PyObject *splitList(TosslInterp *self, PyObject *text)
{
    Tcl_Obj *list, **words;
    Tcl_Size count;
    PyObject *result;

    if (!TosslUsable(self) || (list = TosslToTcl(text)) == NULL) {
        return NULL;
    }
    Tcl_IncrRefCount(list);
    if (Tcl_ListObjGetElements(self->interp, list, &count, &words) == TCL_OK) {
        result = TosslTupleToPython(count, words);
    } else {
        result = resultToPython(self->interp, TCL_ERROR);
    }
    Tcl_DecrRefCount(list);
    return result;
}

static void deallocate(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"createcommand", (PyCFunction)createCommand, METH_VARARGS, "createcommand(name, function)"},
    {"call", (PyCFunction)callWords, METH_VARARGS, "call(*words) -> the result of that command"},
    {"setvar", (PyCFunction)setVar, METH_VARARGS, "setvar(name, value)"},
    {"eval", (PyCFunction)evalScript, METH_O, "eval(script) -> its result"},
    {"environment", TosslEnvironment, METH_NOARGS, "environment() -> the process's, each NAME=VALUE with a NUL behind it"},
    {"splitlist", (PyCFunction)splitList, METH_O, "splitlist(text) -> its elements"},
    {"createfilehandler", (PyCFunction)TosslCreateFileHandler, METH_VARARGS, "createfilehandler(descriptor, mask, function)"},
    {"createtimerhandler", (PyCFunction)TosslCreateTimerHandler, METH_VARARGS, "createtimerhandler(milliseconds, function)"},
    {"deletefilehandler", (PyCFunction)TosslDeleteFileHandler, METH_O, "deletefilehandler(descriptor)"},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_methods, methods},
    {Py_tp_dealloc, deallocate},
    {Py_tp_doc, "A Tcl interpreter, for its own thread; every method raises once it is deleted."},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "tossl.Interp",
    .basicsize = sizeof(TosslInterp),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = slots,
};

/* Two threads cannot both be in here: nothing in it releases the GIL. */
static int makeTypes(void)
{
    if (TclError == NULL) {
        TclError = PyErr_NewException("tossl.TclError", NULL, NULL);
    }
    if (TclError != NULL && InterpType == NULL) {
        InterpType = (PyTypeObject *)PyType_FromSpec(&spec);
        if (InterpType != NULL && PyObject_SetAttrString((PyObject *)InterpType, "TclError", TclError) < 0) {
            Py_CLEAR(InterpType);
        }
    }
    return InterpType != NULL;
}

PyObject *TosslNewInterp(Tcl_Interp *interp)
{
    TosslInterp *self;

    if (!makeTypes() || (self = PyObject_New(TosslInterp, InterpType)) == NULL) {
        return NULL;
    }
    self->interp = interp;
    self->thread = Tcl_GetCurrentThread();
    Py_INCREF((PyObject *)self);
    Tcl_CallWhenDeleted(interp, forget, self);
    return (PyObject *)self;
}
