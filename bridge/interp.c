/* A Tcl interpreter as a Python object, with methods of tkinter's: createcommand, call, eval, createfilehandler, ... */
#include "tossl.h"

#define FOREIGN_MS 10 /* between two checks of the parent's pipe */

typedef struct {
    PyObject_HEAD
    Tcl_Interp *interp; /* NULL once the interpreter is deleted */
    Tcl_ThreadId thread;
} Interp;

static PyObject *TclError;
static PyTypeObject *InterpType;

/* ---- checks before each use ---- */

static int inThread(Interp *self)
{
    if (self->thread != Tcl_GetCurrentThread()) {
        PyErr_SetString(PyExc_RuntimeError, "a Tcl interpreter can be used in its own thread only");
        return 0;
    }
    return 1;
}

static int usable(Interp *self)
{
    if (!inThread(self)) {
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
        ((Interp *)client)->interp = NULL;
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

static PyObject *createCommand(Interp *self, PyObject *args)
{
    PyObject *name, *function;
    Tcl_Obj *word;

    if (!PyArg_ParseTuple(args, "UO:createcommand", &name, &function) || !usable(self) ||
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
static PyObject *setVar(Interp *self, PyObject *args)
{
    const char *name, *value;

    if (!PyArg_ParseTuple(args, "ss:setvar", &name, &value) || !inThread(self)) {
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
static PyObject *evaluate(Interp *self, Tcl_Obj *script)
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

static PyObject *callWords(Interp *self, PyObject *args)
{
    Tcl_Obj *script;

    if (!usable(self) || (script = TosslToTcl(args)) == NULL) {
        return NULL;
    }
    return evaluate(self, script);
}

static PyObject *evalScript(Interp *self, PyObject *text)
{
    Tcl_Obj *script;

    if (!usable(self) || (script = TosslToTcl(text)) == NULL) {
        return NULL;
    }
    return evaluate(self, script);
}

static PyObject *splitList(Interp *self, PyObject *text)
{
    Tcl_Obj *list, **words;
    Tcl_Size count;
    PyObject *result;

    if (!usable(self) || (list = TosslToTcl(text)) == NULL) {
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

/* ---- descriptors that the event loop watches: not channels, so that no script sees, renames or closes them ---- */

typedef struct Watch {
    Interp *owner;
    pid_t process; /* that made it: a forked child has its parent's too */
    int descriptor;
    PyObject *function;
    struct Watch *next;
} Watch;

/* All threads' watches, under the GIL. */
static Watch *watches;

/*
 * Ends a handler, and returns whether Tcl has stopped calling it. Tcl 9 keeps handlers in an epoll set, which a child
 * shares with its parent: a handler that the child removed would be removed for the parent too.
 */
static int endHandler(const Watch *watch)
{
#if TCL_MAJOR_VERSION >= 9
    if (watch->process != getpid()) {
        return 0;
    }
#endif
    Tcl_DeleteFileHandler(watch->descriptor);
    return 1;
}

static void callFunctionOf(Watch *watch, int mask)
{
    PyObject *function = Py_NewRef(watch->function); /* it may end this watch */
    PyObject *result = PyObject_CallFunction(function, "ii", watch->descriptor, mask);

    if (result == NULL) {
        PyErr_Clear(); /* functions given here raise nothing */
    }
    Py_XDECREF(result);
    Py_DECREF(function);
}

static void callWatch(void *client, int mask)
{
    PyGILState_STATE gil;
    Watch *watch = client;

    if (watch->process != getpid()) { /* the parent's pipe is the parent's */
        if (!endHandler(watch)) {
            Tcl_Sleep(FOREIGN_MS); /* it rings until the parent has read */
        }
        return;
    }
    if (!TosslEnter(&gil)) {
        return;
    }
    for (watch = watches; watch != NULL && watch != client; watch = watch->next) {
    }
    if (watch != NULL) {
        callFunctionOf(watch, mask);
    }
    TosslLeave(gil);
}

static Watch **findWatch(Interp *owner, int descriptor)
{
    Watch **found = &watches;

    while (*found != NULL && ((*found)->owner != owner || (*found)->descriptor != descriptor)) {
        found = &(*found)->next;
    }
    return found;
}

static PyObject *createFileHandler(Interp *self, PyObject *args)
{
    int descriptor, mask;
    PyObject *function;
    Watch *watch;

    if (!PyArg_ParseTuple(args, "iiO:createfilehandler", &descriptor, &mask, &function) || !usable(self)) {
        return NULL;
    }
    if (*findWatch(self, descriptor) != NULL) {
        PyErr_SetString(PyExc_ValueError, "the descriptor has a handler");
        return NULL;
    }
    watch = PyMem_Malloc(sizeof(*watch));
    if (watch == NULL) {
        return PyErr_NoMemory();
    }
    *watch = (Watch){.owner = self, .process = getpid(), .descriptor = descriptor, .function = Py_NewRef(function), .next = watches};
    watches = watch;
    Py_BEGIN_ALLOW_THREADS
    Tcl_CreateFileHandler(descriptor, mask, callWatch, watch);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

/* Removes a descriptor's handler, if it has one, also after the interpreter was deleted. */
static PyObject *deleteFileHandler(Interp *self, PyObject *number)
{
    int descriptor = (int)PyLong_AsLong(number);
    Watch **found, *watch;
    int isEnded;

    if (PyErr_Occurred() || !inThread(self)) {
        return NULL;
    }
    found = findWatch(self, descriptor);
    watch = *found;
    if (watch != NULL) {
        *found = watch->next;
        Py_BEGIN_ALLOW_THREADS
        isEnded = endHandler(watch);
        Py_END_ALLOW_THREADS
        Py_DECREF(watch->function);
        if (isEnded) {
            PyMem_Free(watch);
        }
    }
    Py_RETURN_NONE;
}

/* ---- timers that `after` knows nothing of: no script cancels them ---- */

static void callTimer(void *client)
{
    PyGILState_STATE gil;
    PyObject *result;

    if (TosslEnter(&gil)) {
        result = PyObject_CallNoArgs((PyObject *)client);
        if (result == NULL) {
            PyErr_Clear();
        }
        Py_XDECREF(result);
        Py_DECREF((PyObject *)client);
        TosslLeave(gil);
    }
}

/* Calls the function once, from the event loop of this thread. */
static PyObject *createTimerHandler(Interp *self, PyObject *args)
{
    int milliseconds;
    PyObject *function;

    if (!PyArg_ParseTuple(args, "iO:createtimerhandler", &milliseconds, &function) || !usable(self)) {
        return NULL;
    }
    Py_INCREF(function);
    Py_BEGIN_ALLOW_THREADS
    (void)Tcl_CreateTimerHandler(milliseconds, callTimer, function);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
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
    {"createfilehandler", (PyCFunction)createFileHandler, METH_VARARGS, "createfilehandler(descriptor, mask, function)"},
    {"createtimerhandler", (PyCFunction)createTimerHandler, METH_VARARGS, "createtimerhandler(milliseconds, function)"},
    {"deletefilehandler", (PyCFunction)deleteFileHandler, METH_O, "deletefilehandler(descriptor)"},
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
    .basicsize = sizeof(Interp),
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
    Interp *self;

    if (!makeTypes() || (self = PyObject_New(Interp, InterpType)) == NULL) {
        return NULL;
    }
    self->interp = interp;
    self->thread = Tcl_GetCurrentThread();
    Py_INCREF((PyObject *)self);
    Tcl_CallWhenDeleted(interp, forget, self);
    return (PyObject *)self;
}
