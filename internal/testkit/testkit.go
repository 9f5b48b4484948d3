// SPDX-License-Identifier: Apache-2.0

// Package testkit is what tests share: privileges, network namespaces, child processes that play a role, leak checks,
// golden files, and comparisons of measured numbers. Only tests import it.
package testkit

import (
	"os"
	"testing"
	"time"
)

// GuestEnv is set to 1 by the harness that boots kernels: times under emulation are judged more mildly there.
const GuestEnv = "BELTRACE_GUEST"

// Guest reports whether the test runs in an emulated machine.
func Guest() bool { return os.Getenv(GuestEnv) == "1" }

// Until calls done until it reports true, and false when that has not happened within the timeout.
//
// It is for what the kernel does in its own time and tells nobody about, like the freeing of a program after a grace
// period. Events are waited for by their arrival.
func Until(timeout time.Duration, done func() bool) bool {
	for deadline := time.Now().Add(timeout); ; time.Sleep(5 * time.Millisecond) {
		if done() {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}

// Within fails the test unless got is at most absolute + relative·want away from want.
func Within(t testing.TB, what string, got, want, absolute time.Duration, relative float64) {
	t.Helper()
	if bound := Bound(want, absolute, relative); (got - want).Abs() > bound {
		t.Errorf("%s is %v, want %v ± %v", what, got, want, bound)
	}
}

// Bound returns how far a value may be from want.
func Bound(want, absolute time.Duration, relative float64) time.Duration {
	return absolute + time.Duration(relative*float64(want.Abs()))
}
