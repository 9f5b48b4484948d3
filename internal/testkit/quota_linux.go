// SPDX-License-Identifier: Apache-2.0

package testkit

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Quota puts a process into a control group that may use a CPU for so long in each period of 100 ms. The group goes when
// the test ends, after the process has. Whichever version of control groups has the cpu controller is used; the test is
// skipped if none has. It returns for how long the kernel says that the group was held back so far.
func Quota(t testing.TB, pid uint32, quota time.Duration) (throttled func() time.Duration) {
	t.Helper()
	root, limit, value := "/sys/fs/cgroup/cpu", "cpu.cfs_quota_us", fmt.Sprint(quota.Microseconds())
	if _, err := os.Stat(filepath.Join(root, limit)); err != nil {
		if root, err = cgroup2(); err != nil {
			t.Skip(err)
		}
		limit, value = "cpu.max", value+" 100000"
		if err := os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("+cpu"), 0); err != nil {
			t.Skipf("no cpu controller: %v", err)
		}
	}
	g := groupIn(t, root, fmt.Sprintf("beltrace-test-%d", pid))
	if err := os.WriteFile(filepath.Join(g.dir(), limit), []byte(value), 0); err != nil {
		t.Skipf("no quotas: %v", err)
	}
	g.Join(t, pid)
	return func() time.Duration {
		text, err := os.ReadFile(filepath.Join(g.dir(), "cpu.stat"))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			name, n, _ := strings.Cut(strings.TrimSpace(line), " ")
			v, _ := strconv.ParseInt(n, 10, 64)
			switch name {
			case "throttled_time": // version 1
				return time.Duration(v)
			case "throttled_usec":
				return time.Duration(v) * time.Microsecond
			}
		}
		t.Fatalf("no time in %s", text)
		return 0
	}
}
