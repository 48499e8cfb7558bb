/*
 * Tcl values to Python values and back, without loss.
 *
 * Tcl's strings are UTF-8 with two peculiarities: NUL is the bytes C0 80, and Tcl 8 holds a character beyond U+FFFF as
 * two surrogates of three bytes each. A surrogate alone is a character like any other.
 */
#include "tossl.h"

#include <string.h>

#define IS_HIGH(c) ((c) >= 0xD800 && (c) <= 0xDBFF)
#define IS_LOW(c) ((c) >= 0xDC00 && (c) <= 0xDFFF)
#define TCL_HAS_PAIRS (TCL_MAJOR_VERSION < 9)

/* ---- Tcl to Python ---- */

static int isContinued(const unsigned char *from, const unsigned char *end, int bytes)
{
    int i;

    if (end - from < bytes) {
        return 0;
    }
    for (i = 1; i < bytes; i++) {
        if ((from[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return 1;
}

/* Reads one character; a byte that starts no character stands for itself, as in Tcl. */
static const unsigned char *decodeOne(const unsigned char *from, const unsigned char *end, Py_UCS4 *to)
{
    unsigned char lead = *from;

    if (lead >= 0xC0 && lead < 0xE0 && isContinued(from, end, 2)) {
        *to = (lead & 0x1Fu) << 6 | (from[1] & 0x3Fu);
        return from + 2;
    }
    if (lead >= 0xE0 && lead < 0xF0 && isContinued(from, end, 3)) {
        *to = (lead & 0x0Fu) << 12 | (from[1] & 0x3Fu) << 6 | (from[2] & 0x3Fu);
        return from + 3;
    }
    if (lead >= 0xF0 && lead < 0xF5 && isContinued(from, end, 4)) {
        *to = (lead & 0x07u) << 18 | (from[1] & 0x3Fu) << 12 | (from[2] & 0x3Fu) << 6 | (from[3] & 0x3Fu);
        if (*to <= 0x10FFFF) {
            return from + 4;
        }
    }
    *to = lead;
    return from + 1;
}

static PyObject *decodeSlowly(const char *text, Tcl_Size length)
{
    const unsigned char *from = (const unsigned char *)text, *end = from + length;
    Py_UCS4 *buffer = PyMem_New(Py_UCS4, (size_t)length + 1), *to = buffer;
    PyObject *result;

    if (buffer == NULL) {
        return PyErr_NoMemory();
    }
    while (from < end) {
        from = decodeOne(from, end, to);
        if (TCL_HAS_PAIRS && to > buffer && IS_LOW(*to) && IS_HIGH(to[-1])) {
            to[-1] = 0x10000 + ((to[-1] - 0xD800) << 10) + (*to - 0xDC00);
        } else {
            to++;
        }
    }
    result = PyUnicode_FromKindAndData(PyUnicode_4BYTE_KIND, buffer, to - buffer);
    PyMem_Free(buffer);
    return result;
}

PyObject *TosslToPython(Tcl_Obj *value)
{
    Tcl_Size length;
    const char *text = Tcl_GetStringFromObj(value, &length);
    PyObject *result = PyUnicode_DecodeUTF8(text, length, NULL);

    if (result == NULL && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) {
        PyErr_Clear();
        return decodeSlowly(text, length);
    }
    return result;
}

PyObject *TosslTupleToPython(Tcl_Size count, Tcl_Obj *const values[])
{
    PyObject *tuple = PyTuple_New(count);
    Tcl_Size i;

    for (i = 0; tuple != NULL && i < count; i++) {
        PyObject *item = TosslToPython(values[i]);

        if (item == NULL) {
            Py_CLEAR(tuple);
        } else {
            PyTuple_SET_ITEM(tuple, i, item);
        }
    }
    return tuple;
}

/* ---- Python to Tcl ---- */

static int fits(Py_ssize_t length)
{
    if (length > (Py_ssize_t)TCL_SIZE_MAX - 1) {
        PyErr_SetString(PyExc_OverflowError, "value is too large for Tcl");
        return 0;
    }
    return 1;
}

static char *encodeThree(char *to, Py_UCS4 c)
{
    *to++ = (char)(0xE0 | c >> 12);
    *to++ = (char)(0x80 | (c >> 6 & 0x3F));
    *to++ = (char)(0x80 | (c & 0x3F));
    return to;
}

static char *encodeOne(char *to, Py_UCS4 c)
{
    if (c != 0 && c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) { /* NUL too */
        *to++ = (char)(0xC0 | c >> 6);
        *to++ = (char)(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        to = encodeThree(to, c);
    } else if (TCL_HAS_PAIRS) {
        to = encodeThree(to, 0xD800 + ((c - 0x10000) >> 10));
        to = encodeThree(to, 0xDC00 + ((c - 0x10000) & 0x3FF));
    } else {
        *to++ = (char)(0xF0 | c >> 18);
        *to++ = (char)(0x80 | (c >> 12 & 0x3F));
        *to++ = (char)(0x80 | (c >> 6 & 0x3F));
        *to++ = (char)(0x80 | (c & 0x3F));
    }
    return to;
}

static size_t encodedSize(Py_UCS4 c)
{
    if (c < 0x80) {
        return c == 0 ? 2 : 1;
    }
    if (c < 0x800) {
        return 2;
    }
    return c < 0x10000 ? 3 : TCL_HAS_PAIRS ? 6 : 4;
}

static Tcl_Obj *encodeSlowly(PyObject *value)
{
    Py_ssize_t i, length = PyUnicode_GET_LENGTH(value);
    int kind = PyUnicode_KIND(value);
    const void *data = PyUnicode_DATA(value);
    size_t size = 0;
    char *buffer, *to;
    Tcl_Obj *result;

    for (i = 0; i < length; i++) {
        size += encodedSize(PyUnicode_READ(kind, data, i));
    }
    if (!fits((Py_ssize_t)size)) {
        return NULL;
    }
    buffer = to = PyMem_Malloc(size + 1);
    if (buffer == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    for (i = 0; i < length; i++) {
        to = encodeOne(to, PyUnicode_READ(kind, data, i));
    }
    result = Tcl_NewStringObj(buffer, (Tcl_Size)size);
    PyMem_Free(buffer);
    return result;
}

static Tcl_Obj *stringToTcl(PyObject *value)
{
    Py_ssize_t length;

#if PY_VERSION_HEX < 0x030C0000
    if (PyUnicode_READY(value) < 0) {
        return NULL;
    }
#endif
    length = PyUnicode_GET_LENGTH(value);
    if (!PyUnicode_IS_ASCII(value) || memchr(PyUnicode_DATA(value), 0, (size_t)length) != NULL) {
        return encodeSlowly(value);
    }
    return fits(length) ? Tcl_NewStringObj(PyUnicode_DATA(value), (Tcl_Size)length) : NULL;
}

static Tcl_Obj *listToTcl(PyObject *value)
{
    Py_ssize_t i, count = PySequence_Fast_GET_SIZE(value);
    Tcl_Obj *list, *item;

    if (!fits(count)) {
        return NULL;
    }
    list = Tcl_NewListObj(0, NULL);
    for (i = 0; i < count; i++) {
        item = TosslToTcl(PySequence_Fast_GET_ITEM(value, i));
        if (item == NULL) {
            Tcl_IncrRefCount(list);
            Tcl_DecrRefCount(list);
            return NULL;
        }
        Tcl_ListObjAppendElement(NULL, list, item);
    }
    return list;
}

static Tcl_Obj *nestedToTcl(PyObject *value)
{
    Tcl_Obj *result;

    if (Py_EnterRecursiveCall(" in a value for Tcl")) {
        return NULL;
    }
    result = listToTcl(value);
    Py_LeaveRecursiveCall();
    return result;
}

Tcl_Obj *TosslToTcl(PyObject *value)
{
    if (PyUnicode_Check(value)) {
        return stringToTcl(value);
    }
    if (PyTuple_Check(value) || PyList_Check(value)) {
        return nestedToTcl(value);
    }
    if (PyBytes_Check(value)) {
        return fits(PyBytes_GET_SIZE(value))
                   ? Tcl_NewByteArrayObj((unsigned char *)PyBytes_AS_STRING(value), (Tcl_Size)PyBytes_GET_SIZE(value))
                   : NULL;
    }
    PyErr_Format(PyExc_TypeError, "no Tcl value for %s", Py_TYPE(value)->tp_name);
    return NULL;
}
