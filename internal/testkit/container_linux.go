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
	root, err := cgroup2()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	procs := func(dir string) error {
		return os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.FormatUint(uint64(pid), 10)), 0)
	}
	if err := procs(dir); err != nil {
		t.Fatalf("move process %d into %s: %v", pid, dir, err)
	}
	t.Cleanup(func() {
		procs(root) // it may have ended already
		if !Until(patience, func() bool { return os.Remove(dir) == nil }) {
			t.Errorf("%s is still in use after %v", dir, patience)
		}
	})
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
