// SPDX-License-Identifier: Apache-2.0

package model

import (
	"slices"
	"strings"
)

// Stack is where a thread is in its program, the innermost function first: each "function file:line" of Go code, else
// "function library", or, without a name, "library+offset". Code without frame pointers is passed over.
type Stack []string

// wrappers are packages and libraries that only lead to a system call.
var wrappers = []string{"runtime.", "runtime/", "internal/runtime/", "internal/poll.", "syscall.", "golang.org/x/sys/unix."}

// Site is the innermost function of the program itself; "" if it is not among them.
func (s Stack) Site() string {
	for _, frame := range s {
		if !wraps(frame) {
			return frame
		}
	}
	return ""
}

// Callers is Site and what called it, at most n in all, as one text; "" if Site is not known.
func (s Stack) Callers(n int) string {
	own := slices.Index(s, s.Site())
	if own < 0 {
		return ""
	}
	var out []string
	for _, frame := range s[own:min(own+n, len(s))] {
		if function, place := CutFrame(frame); place != "" {
			frame = function + " (" + place + ")"
		}
		out = append(out, frame)
	}
	return strings.Join(out, " ← ")
}

// Idle reports whether it is of a thread of Go's that had nothing to run: it parks in the scheduler (runtime.stopm), or is the
// one that watches the others (sysmon), and no goroutine waits with it. One that is locked to its goroutine (stoplockedm) is not.
func (s Stack) Idle() bool {
	return slices.ContainsFunc(s, func(frame string) bool {
		function, _ := CutFrame(frame)
		return function == "runtime.stopm" || function == "runtime.findRunnable" || function == "runtime.sysmon"
	})
}

func wraps(frame string) bool {
	for _, w := range wrappers {
		if strings.HasPrefix(frame, w) {
			return true
		}
	}
	function, file := CutFrame(frame)
	if file == "" {
		file = function
	}
	return strings.HasPrefix(file, "libc.so") || strings.HasPrefix(file, "libpthread.so") || strings.HasPrefix(file, "ld-linux") || strings.HasPrefix(file, "ld-musl") || strings.HasPrefix(file, "0x")
}

// CutFrame tells the function from where it is; "" if that is one word. Functions of Go may have spaces in their names.
func CutFrame(frame string) (function, place string) {
	if i := strings.LastIndexByte(frame, ' '); i > 0 {
		return frame[:i], frame[i+1:]
	}
	return frame, ""
}
