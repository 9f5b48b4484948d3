// SPDX-License-Identifier: Apache-2.0

package testkit

import (
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// needed are the capabilities of a test that loads BPF programs and makes namespaces, by number.
var needed = []struct {
	name string
	bit  uint
}{
	{"CAP_SYS_ADMIN", unix.CAP_SYS_ADMIN},
	{"CAP_NET_ADMIN", unix.CAP_NET_ADMIN},
	{"CAP_BPF", unix.CAP_BPF},
	{"CAP_PERFMON", unix.CAP_PERFMON},
}

// Root skips the test, saying why, unless the process may load BPF programs and make network namespaces.
func Root(t testing.TB) {
	t.Helper()
	missing, err := missingCapabilities()
	switch {
	case err != nil:
		t.Fatalf("read capabilities: %v", err)
	case len(missing) > 0:
		t.Skipf("needs root: this process (uid %d) lacks %v", os.Geteuid(), missing)
	}
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		t.Skipf("needs a kernel with BTF: %v", err)
	}
}

func missingCapabilities() ([]string, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return nil, fmt.Errorf("capget: %w", err)
	}
	var missing []string
	for _, c := range needed {
		if data[c.bit/32].Effective&(1<<(c.bit%32)) == 0 {
			missing = append(missing, c.name)
		}
	}
	return missing, nil
}
