// SPDX-License-Identifier: Apache-2.0

package vagrant

import (
	"os"
	"os/exec"
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
	good := append(os.Environ(), "BELTRACE_CPUS=3", "BELTRACE_MEMORY=4321", "BELTRACE_DISK=17", "BELTRACE_SSH_PORT=50123", "BELTRACE_ARCH=amd64")
	for setting, want := range map[string]string{
		"BELTRACE_CPUS=0":        "BELTRACE_CPUS=0: must be a whole number",
		"BELTRACE_CPUS=abc":      "BELTRACE_CPUS=abc: must be a whole number",
		"BELTRACE_MEMORY=2GiB":   "BELTRACE_MEMORY=2GiB: must be a whole number",
		"BELTRACE_DISK=-1":       "BELTRACE_DISK=-1: must be a whole number",
		"BELTRACE_SSH_PORT=1.5":  "BELTRACE_SSH_PORT=1.5: must be a whole number",
		"BELTRACE_ARCH=riscv64":  "no image for riscv64: amd64 or arm64",
		"BELTRACE_CACHE=here":    "here/vagrant: BELTRACE_CACHE and XDG_CACHE_HOME must be whole paths",
		"BELTRACE_CACHE=":        "",
		"XDG_CACHE_HOME=":        "",
		"BELTRACE_BOX=":          "",
		"BELTRACE_IMAGE_SHA512=": "",
		"BELTRACE_ARCH=":         "",
	} {
		t.Run(setting, func(t *testing.T) {
			for _, args := range [][]string{{"../../vagrant/image.sh", "--arch"}, {"ruby", "blocks.rb", "../../vagrant/Vagrantfile"}} {
				cmd := exec.Command(args[0], args[1:]...)
				cmd.Env = append(good, setting)
				out, err := cmd.CombinedOutput()
				if (err == nil) != (want == "") || !strings.Contains(string(out), want) || want != "" && strings.Count(string(out), "\n") != 1 {
					t.Errorf("%v: %v, it says\n%swant %q", args, err, out, want)
				}
			}
		})
	}
	// What blocks.rb leaves alone: where the cache is then.
	t.Run("numbers", func(t *testing.T) {
		cmd := exec.Command("ruby", "blocks.rb", "../../vagrant/Vagrantfile")
		cmd.Env = append(good, "BELTRACE_CPUS=")
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "cpus of libvirt: [2, 4321]") {
			t.Errorf("%v, it says\n%swant the two CPUs of a setting that is not there", err, out)
		}
	})
}
