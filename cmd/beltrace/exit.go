// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"beltrace/collector/live"
	"beltrace/internal/view"
)

// The exit codes.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitUnsupported = 3 // the kernel or the privileges do not allow it
)

// usageError is a mistake on the command line.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

// usagef makes a usageError.
func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// status is an exit code about which everything has been said.
type status int

func (s status) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// exitCode says which exit code an error is.
func exitCode(err error) int {
	var usage *usageError
	var unsupported *live.Unsupported
	var code status
	switch {
	case quiet(err):
		return exitDone
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &unsupported):
		return exitUnsupported
	}
	return exitFailed
}

// quiet reports whether the program ended as it should: at its end, by a signal, or because nobody reads any more.
func quiet(err error) bool {
	return err == nil || errors.Is(err, context.Canceled) || errors.Is(err, errUnread)
}

// errorLine returns what to tell the user about an error, in one line; "" if there is nothing to tell.
func errorLine(err error) string {
	var code status
	if quiet(err) || errors.As(err, &code) {
		return ""
	}
	return strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}

// errUnread: whoever read our standard output has enough, like head.
var errUnread = errors.New("nobody reads the output")

// stdout is the standard output. A reader that went away is told apart from a failure.
type stdout struct {
	*os.File
	ascii bool // it is a terminal that shows nothing else
}

// newStdout returns the standard output.
func newStdout() stdout {
	return stdout{os.Stdout, isTerminal(os.Stdout) && !view.UTF8(os.Getenv)}
}

// Write writes to the file.
func (s stdout) Write(b []byte) (int, error) {
	out := b
	if s.ascii {
		out = []byte(view.ASCII(string(b)))
	}
	n, err := s.File.Write(out)
	switch {
	case errors.Is(err, syscall.EPIPE):
		err = errUnread
	case err == nil:
		n = len(b)
	}
	return n, err
}

// WriteString writes to the file.
func (s stdout) WriteString(text string) (int, error) { return s.Write([]byte(text)) }
