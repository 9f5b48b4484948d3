// SPDX-License-Identifier: Apache-2.0

package live

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestObtain(t *testing.T) {
	const all = ^uint64(0)
	const noTrace = all &^ (1 << unix.CAP_SYS_PTRACE)
	for name, c := range map[string]struct {
		privileges
		missing, do string
	}{
		"root":                       {privileges{root: true, effective: all, bounding: all}, "", ""},
		"before 5.8":                 {privileges{effective: sysAdmin | 1<<unix.CAP_SYS_PTRACE}, "", ""},
		"a user":                     {privileges{bounding: all}, "CAP_BPF CAP_PERFMON CAP_SYS_ADMIN CAP_SYS_PTRACE", "run it with sudo"},
		"a user of a container":      {privileges{effective: noTrace, bounding: noTrace}, "CAP_SYS_PTRACE", "--cap-add SYS_PTRACE "},
		"root of a container":        {privileges{root: true}, "CAP_BPF CAP_PERFMON CAP_SYS_ADMIN CAP_SYS_PTRACE", "--cap-add BPF --cap-add PERFMON --cap-add SYS_ADMIN --cap-add SYS_PTRACE "},
		"root that gave it up":       {privileges{root: true, effective: noTrace, bounding: all}, "CAP_SYS_PTRACE", "--cap-add SYS_PTRACE "},
		"root of a user namespace":   {privileges{root: true, apart: true, bounding: all}, "CAP_BPF CAP_PERFMON CAP_SYS_ADMIN CAP_SYS_PTRACE", "outside of this user namespace"},
		"a user of a user namespace": {privileges{apart: true, bounding: all}, "CAP_BPF CAP_PERFMON CAP_SYS_ADMIN CAP_SYS_PTRACE", "outside of this user namespace"},
	} {
		t.Run(name, func(t *testing.T) {
			m := c.privileges.missing()
			if got := strings.Join(m, " "); got != c.missing {
				t.Errorf("missing %q, want %q", got, c.missing)
			}
			if len(m) == 0 {
				return
			}
			if got := c.obtain(m...); !strings.Contains(got, c.do) || strings.Contains(got, "run it with sudo") != (c.do == "run it with sudo") {
				t.Errorf("says %q, want %q", got, c.do)
			}
		})
	}
}
