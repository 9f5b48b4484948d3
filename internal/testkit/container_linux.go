// SPDX-License-Identifier: Apache-2.0

package testkit

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// NewContainer puts a process into a control group that is named as container engines name theirs, and returns the
// container's id. The group goes when the test ends, after the process has.
func NewContainer(t testing.TB, pid uint32) (id string) {
	t.Helper()
	id = fmt.Sprintf("%064x", uint64(Mono()))
	id = id[48:] + id[:48] // engines give digits that differ from the first one on
	newGroup(t, pid, "docker-"+id+".scope")
	return id
}

// NewUnit puts a process into a control group that is named as systemd names those of a service, and returns the unit.
// The group goes when the test ends, after the process has.
func NewUnit(t testing.TB, pid uint32) (unit string) {
	t.Helper()
	unit = fmt.Sprintf("beltrace-%x.service", uint64(Mono()))
	newGroup(t, pid, unit)
	return unit
}

func newGroup(t testing.TB, pid uint32, name string) {
	t.Helper()
	NewGroup(t, name).Join(t, pid)
}

// Group is a control group.
type Group struct {
	Path string // as /proc/PID/cgroup has it
	root string
}

// NewGroup makes a control group of version 2. It goes when the test ends, and its processes leave it before.
func NewGroup(t testing.TB, name string) *Group {
	t.Helper()
	root, err := cgroup2()
	if err != nil {
		t.Fatal(err)
	}
	return groupIn(t, root, name)
}

// groupIn makes one in the hierarchy that is mounted there.
func groupIn(t testing.TB, root, name string) *Group {
	t.Helper()
	g := &Group{Path: "/" + name, root: root}
	g.make(t)
	t.Cleanup(func() { g.remove(t) })
	return g
}

// Join puts a process into the group.
func (g *Group) Join(t testing.TB, pid uint32) {
	t.Helper()
	if err := move(pid, g.dir()); err != nil {
		t.Fatalf("move process %d into %s: %v", pid, g.dir(), err)
	}
}

// Renew makes the group anew, as engines do with that of a container which is started again.
func (g *Group) Renew(t testing.TB) {
	t.Helper()
	g.remove(t)
	g.make(t)
}

func (g *Group) dir() string { return filepath.Join(g.root, g.Path) }

func (g *Group) make(t testing.TB) {
	t.Helper()
	if err := os.Mkdir(g.dir(), 0o755); err != nil {
		t.Fatal(err)
	}
}

func (g *Group) remove(t testing.TB) {
	text, _ := os.ReadFile(filepath.Join(g.dir(), "cgroup.procs")) // it may be gone
	for _, word := range strings.Fields(string(text)) {
		if pid, err := strconv.ParseUint(word, 10, 32); err == nil {
			move(uint32(pid), g.root) // it may have ended already
		}
	}
	if !Until(patience, func() bool { return os.Remove(g.dir()) == nil }) {
		t.Errorf("%s is still in use after %v", g.dir(), patience)
	}
}

func move(pid uint32, dir string) error {
	return os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.FormatUint(uint64(pid), 10)), 0)
}

// cgroup2 returns where the control groups of version 2 are mounted.
func cgroup2() (string, error) {
	mounts, err := os.Open("/proc/self/mounts")
	if err != nil {
		return "", err
	}
	defer mounts.Close()
	for lines := bufio.NewScanner(mounts); lines.Scan(); {
		// device, place, type …
		if f := strings.Fields(lines.Text()); len(f) > 2 && f[2] == "cgroup2" {
			return f[1], nil
		}
	}
	return "", fmt.Errorf("no cgroup2 is mounted")
}
