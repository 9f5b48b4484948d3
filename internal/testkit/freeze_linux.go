// SPDX-License-Identifier: Apache-2.0

package testkit

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Freezer is a control group that can be frozen.
type Freezer struct {
	t             testing.TB
	set, on, off  string // the file that freezes it, and what is written there
	state, frozen string // the file that says whether it is frozen, and the line that says so
}

// NewFreezer puts a process into a control group of that version, 1 or 2. The group goes when the test ends, after the
// process has. The test is skipped where there is none.
func NewFreezer(t testing.TB, version int, pid uint32) *Freezer {
	t.Helper()
	root, err := "/sys/fs/cgroup/freezer", error(nil)
	if version == 2 {
		root, err = cgroup2()
	}
	if err != nil {
		t.Skip(err)
	}
	if _, err := os.Stat(filepath.Join(root, "cgroup.procs")); err != nil {
		t.Skip(err)
	}
	g := groupIn(t, root, fmt.Sprintf("beltrace-test-%d", pid))
	f := &Freezer{t: t, set: g.dir() + "/freezer.state", on: "FROZEN", off: "THAWED", state: g.dir() + "/freezer.state", frozen: "FROZEN"}
	if version == 2 {
		f.set, f.on, f.off, f.state, f.frozen = g.dir()+"/cgroup.freeze", "1", "0", g.dir()+"/cgroup.events", "frozen 1"
	}
	t.Cleanup(f.Thaw) // before the group goes
	g.Join(t, pid)
	return f
}

// Freeze stops the processes of the group, and returns when they have.
func (f *Freezer) Freeze() {
	f.t.Helper()
	f.write(f.on)
	frozen := func() bool {
		text, err := os.ReadFile(f.state)
		return err == nil && strings.Contains(string(text), f.frozen)
	}
	if !Until(patience, frozen) {
		f.t.Fatalf("%s does not say %q", f.state, f.frozen)
	}
}

// Thaw lets them go on.
func (f *Freezer) Thaw() {
	f.t.Helper()
	f.write(f.off)
}

func (f *Freezer) write(what string) {
	f.t.Helper()
	if err := os.WriteFile(f.set, []byte(what), 0); err != nil {
		f.t.Errorf("freeze: %v", err)
	}
}
