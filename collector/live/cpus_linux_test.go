// SPDX-License-Identifier: Apache-2.0

package live

import (
	"os"
	"path/filepath"
	"testing"

	"beltrace/collector/event"

	"golang.org/x/sys/unix"
)

func TestCPUList(t *testing.T) {
	for want, cpus := range map[string][]int{"": nil, "0": {0}, "0-3,8": {0, 1, 2, 3, 8}, "1,3,5-6": {1, 3, 5, 6}, "1022-1023": {1022, 1023}} {
		var set unix.CPUSet
		for _, cpu := range cpus {
			set.Set(cpu)
		}
		if got := cpuList(&set); got != want {
			t.Errorf("the CPUs %v are written %q", cpus, got)
		}
	}
}

// TestRename: a process that has given itself another name is called so, until it becomes another program.
func TestRename(t *testing.T) {
	r := threadReader{quotas: map[uint32]quota{7: {first: "exe", name: "demo-worker"}, 8: {first: "sh"}}}
	for _, c := range []struct {
		pid       uint32
		was, want string
	}{{7, "exe", "demo-worker"}, {7, "python3", "python3"}, {8, "sh", "sh"}, {9, "exe", "exe"}} {
		e := event.Event{PID: c.pid, Comm: c.was}
		if r.rename(&e); e.Comm != c.want {
			t.Errorf("%s of process %d is called %s, want %s", c.was, c.pid, e.Comm, c.want)
		}
	}
	if self := r.name(uint32(os.Getpid())); self == "" {
		t.Error("this process has no name")
	}
	if gone := r.name(1 << 31); gone != "" {
		t.Errorf("a process that is not there is called %q", gone)
	}
}

func TestQuota(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"box/cpu.max":                  "400000 100000\n",
		"box/web.service/cpu.max":      "50000 100000\n",
		"box/web.service/deep/cpu.max": "max 100000\n",
		"free/cpu.max":                 "max 100000\n",
		"odd/cpu.max":                  "lots\n",
		"cpu/one/cpu.cfs_quota_us":     "150000\n",
		"cpu/one/cpu.cfs_period_us":    "100000\n",
		"cpu/two/cpu.cfs_quota_us":     "-1\n",
		"cpu/two/cpu.cfs_period_us":    "100000\n",
	} {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for text, want := range map[string]float64{
		"":                            0,
		"0::/\n":                      0,
		"0::/free\n":                  0,
		"0::/odd\n":                   0,
		"0::/gone\n":                  0,
		"0::/box\n":                   4,
		"0::/box/web.service/deep\n":  0.5,
		"0::/../../box/web.service\n": 0.5,
		"4:memory:/one\n3:cpu,cpuacct:/one\n1:name=systemd:/box\n0::/free\n": 1.5,
		"3:cpuset:/one\n2:cpu:/two\n":                                        0,
	} {
		if got, limited := quotaOf(text, root); got != want || limited != (want > 0) {
			t.Errorf("the limit of %q is %v (%v), want %v", text, got, limited, want)
		}
	}
}
