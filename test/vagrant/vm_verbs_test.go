// SPDX-License-Identifier: Apache-2.0

package vagrant

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// pretended is a vm.sh whose vagrant and ssh only note what they are asked.
type pretended struct {
	bin, dot string
}

// newPretended makes a VM of libvirt in this state, or none if it is empty. Without a plugin Vagrant cannot drive it.
func newPretended(t *testing.T, state, plugin string) pretended {
	t.Helper()
	reads(t, "../../vagrant/vm.sh")
	p := pretended{bin: t.TempDir(), dot: t.TempDir()}
	command(t, p.bin, "uname", `[ "$1" = -m ] && echo x86_64 || echo Linux`)
	command(t, p.bin, "rsync", "exit 0")
	command(t, p.bin, "vagrant", `case $1 in
plugin) echo "`+plugin+` (0.11.2, system)" ;;
status) echo "1,default,state,`+state+`" ;;
*) echo "$*" >>"`+p.dot+`/asked" ;;
esac`)
	// What the VM's login shell is given, as ssh hands it to a shell there.
	command(t, p.bin, "ssh", `for last; do :; done; eval "set -- $last"; echo "ssh $1 $2 $3" >>"`+p.dot+`/asked"; exit 7`)
	for _, tool := range []string{"bash", "dirname", "basename", "mktemp", "rm", "grep", "cat", "awk", "env", "date"} {
		path, err := exec.LookPath(tool)
		if err != nil {
			t.Skip("needs " + tool)
		}
		if err := os.Symlink(path, filepath.Join(p.bin, tool)); err != nil {
			t.Fatal(err)
		}
	}
	if state == "" {
		return p
	}
	id := filepath.Join(p.dot, "machines/default/libvirt/id")
	if err := os.MkdirAll(filepath.Dir(id), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(id, []byte("1234"), 0o644); err != nil {
		t.Fatal(err)
	}
	return p
}

// run returns the exit code, what vm.sh said, and what Vagrant and ssh were asked.
func (p pretended) run(t *testing.T, args ...string) (code int, says, asked string) {
	t.Helper()
	cmd := exec.Command("../../vagrant/vm.sh", args...)
	cmd.Env = []string{"PATH=" + p.bin, "HOME=" + p.dot, "VAGRANT_DOTFILE_PATH=" + p.dot, "BELTRACE_BOX=own", "BELTRACE_FROM=" + p.dot}
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	what, _ := os.ReadFile(filepath.Join(p.dot, "asked")) // not there: nobody asked
	return code, string(out), string(what)
}

// TestVMEnds tests that halt and destroy say in one line what they do, or that there is nothing to do or what is missing,
// with the command for it.
func TestVMEnds(t *testing.T) {
	const plugin = "vagrant-libvirt"
	for _, tt := range []struct {
		name, verb, state, plugin string
		noVagrant                 bool
		code                      int
		says, asked               string
	}{
		{name: "halt, no VM, no Vagrant", verb: "halt", noVagrant: true, says: "there is no VM to stop: make vm makes one"},
		{name: "halt, no VM", verb: "halt", plugin: plugin, says: "there is no VM to stop: make vm makes one"},
		{name: "destroy, no VM", verb: "destroy", plugin: plugin, says: "there is no VM to remove: make vm makes one"},
		{name: "halt, no Vagrant any more", verb: "halt", state: "running", noVagrant: true, code: 1, says: "there is no Vagrant: sudo apt-get install -y vagrant"},
		{name: "halt, no plugin any more", verb: "halt", state: "running", code: 1, says: "Vagrant cannot drive libvirt: sudo apt-get install -y vagrant-libvirt"},
		{name: "destroy, no plugin any more", verb: "destroy", state: "running", code: 1, says: "Vagrant cannot drive libvirt: sudo apt-get install -y vagrant-libvirt"},
		{name: "halt", verb: "halt", state: "running", plugin: plugin, says: "stopping the VM (libvirt): make vm starts it again", asked: "halt\n"},
		{name: "halt, halted", verb: "halt", state: "shutoff", plugin: plugin, says: "the VM (libvirt) is stopped already: make vm starts it"},
		{name: "halt, gone", verb: "halt", state: "not_created", plugin: plugin, says: "was removed by something else: make vm makes another"},
		{name: "destroy", verb: "destroy", state: "running", plugin: plugin, says: "removing the VM (libvirt): make vm makes another", asked: "destroy -f\n"},
		{name: "destroy, halted", verb: "destroy", state: "shutoff", plugin: plugin, says: "removing the VM (libvirt)", asked: "destroy -f\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPretended(t, tt.state, tt.plugin)
			if tt.noVagrant {
				if err := os.Remove(filepath.Join(p.bin, "vagrant")); err != nil {
					t.Fatal(err)
				}
			}
			code, says, asked := p.run(t, tt.verb)
			if code != tt.code || !strings.Contains(says, tt.says) || strings.Count(says, "\n") != 1 {
				t.Errorf("exit %d, it says\n%swant exit %d and one line with %q", code, says, tt.code, tt.says)
			}
			if asked != tt.asked {
				t.Errorf("Vagrant was asked %q, want %q", asked, tt.asked)
			}
		})
	}
}

// TestVMRefused tests that nothing is asked of a Vagrant that cannot say what state the VM is in, and that its exit code
// comes home.
func TestVMRefused(t *testing.T) {
	for _, verb := range []string{"demo", "halt"} {
		p := newPretended(t, "running", "vagrant-libvirt")
		command(t, p.bin, "vagrant", `case $1 in
plugin) echo "vagrant-libvirt (0.11.2, system)" ;;
status) echo "the Vagrantfile has an error" >&2; exit 3 ;;
*) echo "$*" >>"`+p.dot+`/asked" ;;
esac`)
		code, says, asked := p.run(t, verb)
		if code != 3 || says != "the Vagrantfile has an error\n" || asked != "" {
			t.Errorf("%s: exit %d, it says\n%sand Vagrant was asked %q", verb, code, says, asked)
		}
	}
}

// TestVMVerbs tests what the other verbs say and ask of a VM that runs, and that the exit code comes home.
func TestVMVerbs(t *testing.T) {
	for _, tt := range []struct {
		name         string
		args         []string
		says, inside string
	}{
		{"demo", nil, "demo request-response: q leaves it, and the VM goes on until make vm-halt", "sudo beltrace demo request-response"},
		{"top", []string{"top", "--port", "8080"}, "the dashboard of the whole VM: q leaves it", "sudo beltrace top --port 8080"},
		{"test", []string{"test"}, "running the whole test suite as root", "cd /vagrant && sudo make test"},
		{"some tests", []string{"test", "RUN=^TestA$|B", "PKG=./x ./y"}, "running RUN=^TestA$|B PKG=./x ./y as root", `cd /vagrant && sudo make test RUN=\^TestA\$\|B PKG=./x\ ./y`},
		{"record", []string{"record", "--port", "8080"}, "recording in the VM (--port 8080 --for 10s)", "--port 8080 --for 10s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, says, asked := newPretended(t, "running", "vagrant-libvirt").run(t, tt.args...)
			if code != 7 || !strings.Contains(says, tt.says) {
				t.Errorf("exit %d, it says\n%swant exit 7 and %q", code, says, tt.says)
			}
			lines := strings.Split(strings.TrimSpace(asked), "\n")
			last := lines[len(lines)-1]
			if got := strings.Join(lines[:len(lines)-1], ","); got != "rsync,provision,ssh-config" {
				t.Errorf("before it Vagrant was asked %q", got)
			}
			if !strings.HasPrefix(last, "ssh bash -lc ") || !strings.HasSuffix(last, tt.inside) {
				t.Errorf("the VM was asked %q, want %q", last, tt.inside)
			}
		})
	}
}

// TestPatterns tests that make hands a pattern on as it was given: $ is nothing special to it.
func TestPatterns(t *testing.T) {
	reads(t, "../../Makefile")
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("needs make")
	}
	const pattern = "^TestA$|^TestB$/x"
	for _, target := range []string{"test", "test-vm", "vm-test"} {
		if said := run(t, "make", "-C", "../..", "-n", target, "RUN="+pattern); !strings.Contains(said, pattern+"'") {
			t.Errorf("make %s would run %s, want the pattern %s", target, said, pattern)
		}
	}
}
