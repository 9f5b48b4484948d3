// SPDX-License-Identifier: Apache-2.0

package vagrant

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestProvisionWithin tests that provision.sh waits for cloud-init, but not when cloud-init runs it, as with Lima: that would
// wait for itself. The package manager is pretended, and fails: more is not done to this machine.
func TestProvisionWithin(t *testing.T) {
	reads(t, "../../vagrant/provision.sh")
	for _, tt := range []struct{ name, group, want string }{
		{"by hand", "beltrace-test-session.scope", "status --wait\n"},
		{"in cloud-init", "beltrace-test-cloud-final.service", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			group := newGroup(t, tt.group)
			bin := t.TempDir()
			asked := filepath.Join(bin, "asked")
			command(t, bin, "cloud-init", `echo "$*" >>`+asked)
			for _, name := range []string{"dpkg-query", "apt-get", "mount"} {
				command(t, bin, name, "exit 1")
			}
			cmd := exec.Command("bash", "-c", `echo $$ >"$1" && exec ../../vagrant/provision.sh /nowhere`, "bash", filepath.Join(group, "cgroup.procs"))
			cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
			if out, err := cmd.CombinedOutput(); err == nil {
				t.Fatalf("it went on without packages:\n%s", out)
			}
			if got, _ := os.ReadFile(asked); string(got) != tt.want { // not there: nobody asked
				t.Errorf("cloud-init was asked %q, want %q", got, tt.want)
			}
		})
	}
}

// newGroup makes a control group.
func newGroup(t *testing.T, name string) string {
	t.Helper()
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/pids"} {
		dir := filepath.Join(root, name)
		if _, err := os.Stat(filepath.Join(root, "cgroup.procs")); err != nil || os.Mkdir(dir, 0o755) != nil {
			continue
		}
		t.Cleanup(func() {
			if err := os.Remove(dir); err != nil && !strings.Contains(err.Error(), "busy") {
				t.Error(err)
			}
		})
		return dir
	}
	t.Skip("needs root and control groups")
	return ""
}
