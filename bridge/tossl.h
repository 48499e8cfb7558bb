/*
 * The bridge between a Tcl interpreter and the Python that runs in its process.
 *
 *   load.c    what Tcl's `load` calls
 *   python.c  starts Python, once per process
 *   others.c  refuses a Python that is there already and does not fit
 *   fork.c    the way into Python, closed in a forked child where Python cannot work
 *   interp.c  a Tcl interpreter as a Python object
 *   value.c   Tcl values to Python values and back
 *
 * It knows no command by name: whatever a script can call was created by the Python package tossl_acme.
 */
#ifndef TOSSL_H
#define TOSSL_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <tcl.h>

#ifndef TCL_SIZE_MAX /* Tcl 8.6 counts in int */
typedef int Tcl_Size;
#define TCL_SIZE_MAX INT_MAX
#endif

/* All of these want the GIL, and return NULL with a Python exception set when they fail. */
PyObject *TosslToPython(Tcl_Obj *value);
PyObject *TosslTupleToPython(Tcl_Size count, Tcl_Obj *const values[]);
Tcl_Obj *TosslToTcl(PyObject *value);
PyObject *TosslNewInterp(Tcl_Interp *interp);

/* The way into Python, with the GIL. TosslEnter() returns 0 where Python cannot work: say TosslForked. */
extern const char TosslForked[];
int TosslEnter(PyGILState_STATE *gil);
void TosslLeave(PyGILState_STATE gil);
int TosslComeIn(void); /* the same without the GIL */
void TosslGoOut(void);
void TosslComeBack(void); /* from a script that was called from Python, before the GIL is taken; it may have forked */
int TosslKnowThread(int isHere); /* whether that is new */
void TosslBeginEnd(void); /* of this thread, which has left the GIL behind */
int TosslWatchForks(void); /* wants the GIL; 0 with a Python exception set */

/* These want no GIL and leave none; TCL_ERROR with a message in the interpreter. */
int TosslRefuse(Tcl_Interp *interp, Tcl_Obj *reason); /* returns TCL_ERROR, with errorcode TOSSL PYTHON */
int TosslStartPython(Tcl_Interp *interp);
int TosslOwnsPython(void);
int TosslCheckVersion(Tcl_Interp *interp); /* before anything of Python is called */
int TosslCheckGil(Tcl_Interp *interp);     /* of a Python that something else has started */

#endif
