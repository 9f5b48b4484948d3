// SPDX-License-Identifier: Apache-2.0

package vagrant

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
)

// TestSettings tests that a setting that cannot be is refused in one line that names it, by image.sh and by the Vagrantfile,
// before anything is made of it; and that an empty one is as good as none to both.
func TestSettings(t *testing.T) {
	if _, err := exec.LookPath("ruby"); err != nil {
		t.Skip("needs ruby")
	}
	reads(t, "blocks.rb", "../../vagrant/image.sh", "../../vagrant/Vagrantfile", "../../vagrant/image.txt")
	home := t.TempDir()
	good := append(os.Environ(), "HOME="+home, "XDG_CACHE_HOME="+home+"/xdg", "BELTRACE_CACHE="+home+"/own", "BELTRACE_ARCH=amd64",
		"BELTRACE_CPUS=3", "BELTRACE_MEMORY=4321", "BELTRACE_DISK=17", "BELTRACE_SSH_PORT=50123")
	for _, tt := range []struct{ settings, refused, cache, arch string }{
		{settings: "BELTRACE_CPUS=0", refused: "BELTRACE_CPUS=0: must be a whole number"},
		{settings: "BELTRACE_CPUS=abc", refused: "BELTRACE_CPUS=abc: must be a whole number"},
		{settings: "BELTRACE_MEMORY=2GiB", refused: "BELTRACE_MEMORY=2GiB: must be a whole number"},
		{settings: "BELTRACE_DISK=-1", refused: "BELTRACE_DISK=-1: must be a whole number"},
		{settings: "BELTRACE_SSH_PORT=1.5", refused: "BELTRACE_SSH_PORT=1.5: must be a whole number"},
		{settings: "BELTRACE_ARCH=riscv64", refused: "no image for riscv64: amd64 or arm64"},
		{settings: "BELTRACE_CACHE=here", refused: "here/vagrant: BELTRACE_CACHE and XDG_CACHE_HOME must be whole paths"},
		{settings: "BELTRACE_CACHE=", cache: "/xdg/beltrace", arch: "amd64"},
		{settings: "BELTRACE_CACHE= XDG_CACHE_HOME=", cache: "/.cache/beltrace", arch: "amd64"},
		{settings: "BELTRACE_BOX=", cache: "/own", arch: "amd64"},
		{settings: "BELTRACE_IMAGE_SHA512=", cache: "/own", arch: "amd64"},
		{settings: "BELTRACE_ARCH=", cache: "/own", arch: runtime.GOARCH},
	} {
		t.Run(tt.settings, func(t *testing.T) {
			for _, args := range [][]string{
				{"../../vagrant/image.sh", "--arch"},
				{"ruby", "blocks.rb", "../../vagrant/Vagrantfile", home + tt.cache + "/vagrant", tt.arch},
			} {
				cmd := exec.Command(args[0], args[1:]...)
				cmd.Env = append(good, strings.Fields(tt.settings)...)
				out, err := cmd.CombinedOutput()
				if (err == nil) != (tt.refused == "") || !strings.Contains(string(out), tt.refused) || tt.refused != "" && strings.Count(string(out), "\n") != 1 {
					t.Errorf("%v: %v, it says\n%swant %q", args, err, out, tt.refused)
				}
			}
		})
	}
	// An empty number is the default, so that blocks.rb must find another than it wants.
	t.Run("BELTRACE_CPUS=", func(t *testing.T) {
		cmd := exec.Command("ruby", "blocks.rb", "../../vagrant/Vagrantfile", home+"/own/vagrant", "amd64")
		cmd.Env = append(good, "BELTRACE_CPUS=")
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "cpus of libvirt: [2, 4321]") {
			t.Errorf("%v, it says\n%swant the two CPUs of a setting that is not there", err, out)
		}
	})
}
