// SPDX-License-Identifier: Apache-2.0

package testkit

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"testing"
)

// RoleEnv is the environment variable that names the role that a test binary plays instead of running its tests.
const RoleEnv = "BELTRACE_TEST_ROLE"

// Role is a program that a test binary can become. It ends when it returns, or when its parent is gone.
type Role func(*Talk) error

// Talk is a role's line to the test that started it: JSON values in both directions.
type Talk struct {
	dec *json.Decoder
	mu  sync.Mutex // of enc
	enc *json.Encoder
}

// Hear reads the next value; io.EOF means that the test wants no more.
func (t *Talk) Hear(v any) error { return t.dec.Decode(v) }

// Say sends a value. Any goroutine may call it.
func (t *Talk) Say(v any) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.enc.Encode(v)
}

// Main is what TestMain calls: it plays the role that the environment names, or else runs the tests.
func Main(m *testing.M, roles map[string]Role) {
	name, playing := os.LookupEnv(RoleEnv)
	if !playing {
		os.Exit(m.Run())
	}
	role, ok := roles[name]
	if !ok {
		fmt.Fprintf(os.Stderr, "no role %q\n", name)
		os.Exit(2)
	}
	err := role(&Talk{dec: json.NewDecoder(os.Stdin), enc: json.NewEncoder(os.Stdout)})
	if err != nil && err != io.EOF {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}
