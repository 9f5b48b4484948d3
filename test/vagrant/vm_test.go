// SPDX-License-Identifier: Apache-2.0

package vagrant

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestVMWords tests what `make vm` says where something is missing: each time one line, with the command that mends it.
func TestVMWords(t *testing.T) {
	reads(t, "../../vagrant/vm.sh")
	const noPlugins, libvirt = "exit 0", `[ "$1" = plugin ] && echo "vagrant-libvirt (0.11.2, system)"; exit 0`
	for _, tt := range []struct {
		name, system string
		have         map[string]string // commands, and what they do
		env          string
		want         string
	}{
		{name: "no vagrant on macOS", system: "Darwin", want: "there is no Vagrant: brew install"},
		{name: "no vagrant on Linux", system: "Linux", want: "there is no Vagrant: sudo apt-get install -y vagrant"},
		{name: "no rsync", system: "Darwin", have: map[string]string{"vagrant": noPlugins}, want: "there is no rsync: brew install rsync"},
		{name: "no qemu", system: "Darwin", have: map[string]string{"vagrant": noPlugins, "rsync": ""}, want: "there is no QEMU: brew install qemu"},
		{name: "no plugin", system: "Darwin", have: map[string]string{"vagrant": noPlugins, "rsync": "", "qemu-img": ""},
			want: "vagrant plugin install vagrant-qemu"},
		{name: "no provider", system: "Linux", have: map[string]string{"vagrant": noPlugins, "rsync": ""},
			want: "there is no provider: sudo apt-get install -y vagrant-libvirt"},
		{name: "no virtualbox", system: "Linux", have: map[string]string{"vagrant": noPlugins, "rsync": ""},
			env: "VAGRANT_DEFAULT_PROVIDER=virtualbox", want: "there is no VirtualBox: https://"},
		{name: "no plugin for vmware", system: "Darwin", have: map[string]string{"vagrant": noPlugins, "rsync": ""},
			env: "VAGRANT_DEFAULT_PROVIDER=vmware_desktop", want: "vagrant plugin install vagrant-vmware-desktop"},
		{name: "no plugin for parallels", system: "Darwin", have: map[string]string{"vagrant": noPlugins, "rsync": ""},
			env: "VAGRANT_DEFAULT_PROVIDER=parallels", want: "vagrant plugin install vagrant-parallels"},
		// It has all that it looks for: the next that is missing is image.sh's business.
		{name: "libvirt without curl", system: "Linux", have: map[string]string{"vagrant": libvirt, "rsync": "", "qemu-img": ""},
			want: "image.sh: there is no curl: sudo apt-get install -y curl"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bin := t.TempDir()
			command(t, bin, "uname", `[ "$1" = -m ] && echo x86_64 || echo `+tt.system)
			for name, script := range tt.have {
				command(t, bin, name, script)
			}
			for _, tool := range []string{"bash", "dirname", "basename", "mktemp", "rm", "grep", "cat", "awk", "env"} {
				path, err := exec.LookPath(tool)
				if err != nil {
					t.Skip("needs " + tool)
				}
				if err := os.Symlink(path, filepath.Join(bin, tool)); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.Command("../../vagrant/vm.sh")
			cmd.Env = []string{"PATH=" + bin, "HOME=" + t.TempDir(), "VAGRANT_DOTFILE_PATH=" + t.TempDir(), tt.env}
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), tt.want) || strings.Count(string(out), "\n") != 1 {
				t.Errorf("%v, it says\n%swant one line with %q", err, out, tt.want)
			}
		})
	}
}

// command puts a shell script into a folder of commands.
func command(t *testing.T, bin, name, script string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}
