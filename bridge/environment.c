/* The environment of the process as one block of bytes. */
#define _GNU_SOURCE
#include "tossl.h"

#include <string.h>
#include <unistd.h>

#if defined(__APPLE__)
#include <crt_externs.h>
#define environ (*_NSGetEnviron()) /* a library has no other */
#endif

#define MOST_READS 100 /* of an environment that keeps changing */

/* Returns the length of the environment, with a NUL after each variable. */
static size_t environmentSize(void)
{
    char **entry;
    size_t size = 0;

    for (entry = environ; entry != NULL && *entry != NULL; entry++) {
        size += strlen(*entry) + 1;
    }
    return size;
}

/* Copies no more than was counted: another thread may change it meanwhile, as with getenv(). */
static void copyEnvironment(char *to, size_t left)
{
    char **entry;
    size_t length;

    for (entry = environ; entry != NULL && *entry != NULL; entry++) {
        length = strnlen(*entry, left) + 1;
        if (length > left) {
            break;
        }
        memcpy(to, *entry, length - 1);
        to[length - 1] = '\0';
        to += length;
        left -= length;
    }
    memset(to, 0, left);
}

static PyObject *readEnvironment(void)
{
    size_t size = environmentSize();
    PyObject *block = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);

    if (block != NULL) {
        copyEnvironment(PyBytes_AS_STRING(block), size);
    }
    return block;
}

static int isSame(PyObject *one, PyObject *other)
{
    return one != NULL && other != NULL && Py_SIZE(one) == Py_SIZE(other) &&
           memcmp(PyBytes_AS_STRING(one), PyBytes_AS_STRING(other), (size_t)Py_SIZE(one)) == 0;
}

/* Reads until two results are equal, or equal to the last call's: then no other thread was changing it. */
PyObject *TosslEnvironment(PyObject *self, PyObject *unused)
{
    static PyObject *last; /* under the GIL */
    PyObject *block = readEnvironment(), *before = Py_XNewRef(last);
    int tries;

    (void)self;
    (void)unused;
    for (tries = 0; tries < MOST_READS && block != NULL && !isSame(block, before); tries++) {
        Py_XSETREF(before, block);
        block = readEnvironment();
    }
    Py_XDECREF(before);
    if (block != NULL) {
        Py_XSETREF(last, Py_NewRef(block));
    }
    return block;
}
