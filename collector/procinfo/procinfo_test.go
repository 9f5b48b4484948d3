// SPDX-License-Identifier: Apache-2.0

package procinfo

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"beltrace/collector/model"
)

const (
	id    = "4f2a9c0d1e3b5a697887766554433221100ffeeddccbbaa99887766554433221"
	short = "4f2a9c0d1e3b"
	other = "aaaaaaaaaaaabbbbbbbbbbbbccccccccccccddddddddddddeeeeeeeeeeee0123"
)

func TestParseCgroup(t *testing.T) {
	tests := []struct{ name, text, container, unit string }{
		{"nothing", "", "", ""},
		{"no cgroup line", "hello\n1:2\n", "", ""},
		{"root", "0::/\n", "", ""},
		{"kernel thread of version 1", "1:name=systemd:/\n", "", ""},
		{"service", "0::/system.slice/nginx.service\n", "", "nginx.service"},
		{"service of a template", "0::/system.slice/system-getty.slice/getty@tty1.service\n", "", "getty@tty1.service"},
		{"session", "0::/user.slice/user-1000.slice/session-3.scope\n", "", "session-3.scope"},
		{"user's service", "0::/user.slice/user-1000.slice/user@1000.service/app.slice/api.service\n", "", "api.service"},
		{"init", "0::/init.scope\n", "", "init.scope"},
		{"slice alone", "0::/user.slice\n", "", ""},
		{"docker, systemd driver", "0::/system.slice/docker-" + id + ".scope\n", short, ""},
		{"docker, cgroupfs driver", "0::/docker/" + id + "\n", short, ""},
		{"docker, version 1", "12:pids:/docker/" + id + "\n1:name=systemd:/docker/" + id + "\n0::/\n", short, ""},
		{"docker, systemd inside", "0::/docker/" + id + "/system.slice/nginx.service\n", short, "nginx.service"},
		{"docker in docker", "0::/docker/" + other + "/docker/" + id + "\n", short, ""},
		{"podman", "0::/machine.slice/libpod-" + id + ".scope/container\n", short, ""},
		{"podman, rootless", "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + id + ".scope\n", short, ""},
		{"podman's watcher is outside", "0::/machine.slice/libpod-conmon-" + id + ".scope\n", "", "libpod-conmon-" + id + ".scope"},
		{"podman in a unit", "0::/system.slice/web.service/libpod-payload-" + id + "\n", "", "web.service"},
		{"containerd of kubernetes", "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1a2b_3c.slice/cri-containerd-" + id + ".scope\n", short, ""},
		{"containerd of kubernetes, cgroupfs", "0::/kubepods/burstable/pod1a2b-3c/" + id + "\n", short, ""},
		{"containerd of kubernetes, colons", "0::/system.slice/containerd.service/kubepods-burstable-pod1a2b.slice:cri-containerd:" + id + "\n", short, ""},
		{"cri-o", "0::/kubepods.slice/kubepods-pod1a2b.slice/crio-" + id + ".scope/container\n", short, ""},
		{"cri-o's watcher is outside", "0::/kubepods.slice/kubepods-pod1a2b.slice/crio-conmon-" + id + ".scope\n", "", "crio-conmon-" + id + ".scope"},
		{"nerdctl", "0::/system.slice/nerdctl-" + id + ".scope\n", short, ""},
		{"nerdctl, cgroupfs", "0::/default/" + id + "\n", short, ""},
		{"lxc 1", "4:memory:/lxc/web\n1:name=systemd:/lxc/web/system.slice/nginx.service\n", "web", "nginx.service"},
		{"lxc 4", "0::/lxc.payload.web/system.slice/nginx.service\n", "web", "nginx.service"},
		{"lxc 3", "0::/lxc.payload/web\n", "web", ""},
		{"lxc's watcher is outside", "0::/lxc.monitor.web\n", "", ""},
		{"seen from another namespace", "0::/../../docker-" + id + ".scope\n", short, ""},
		{"id too short", "0::/docker/" + id[:63] + "\n", "", ""},
		{"not hex", "0::/docker/" + strings.Repeat("x", 64) + "\n", "", ""},
		{"unit only in systemd's hierarchy", "2:cpu:/system.slice/a.service\n1:name=systemd:/system.slice/b.service\n", "", "b.service"},
		{"hybrid: systemd's first", "1:name=systemd:/system.slice/b.service\n0::/system.slice/b.service\n", "", "b.service"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if c, u := ParseCgroup(tt.text); c != tt.container || u != tt.unit {
				t.Errorf("got %q, %q, want %q, %q", c, u, tt.container, tt.unit)
			}
		})
	}
}

func stat(comm string, start int) string {
	return fmt.Sprintf("7 (%s) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 %d 1000 2000\n", comm, start)
}

func TestParseStat(t *testing.T) {
	for _, comm := range []string{"nginx", "a b", "x) S 1 (y", "(", ")", ""} {
		if got, start, ok := parseStat(stat(comm, 4711)); !ok || got != comm || start != 4711 {
			t.Errorf("%q: got %q, %d, %v", comm, got, start, ok)
		}
	}
	for _, text := range []string{"", "7", "7 (x", "7 (x) S 1 2", strings.Replace(stat("x", 1), " 1 1000", " ? 1000", 1)} {
		if comm, start, ok := parseStat(text); ok {
			t.Errorf("%q: got %q, %d", text, comm, start)
		}
	}
}

func TestParseNSPID(t *testing.T) {
	tests := []struct {
		text string
		want uint32
		ok   bool
	}{
		{"Name:\tx\nNSpid:\t123\nNSpgid:\t1\t2\n", 0, false},
		{"NStgid:\t1\t2\nNSpid:\t123\t1\n", 1, true},
		{"NSpid:\t123\t50\t7\n", 7, true},
		{"NSpid:\t123\tx\n", 0, false},
		{"Name:\tx\n", 0, false},
	}
	for _, tt := range tests {
		if got, ok := parseNSPID(tt.text); got != tt.want || ok != tt.ok {
			t.Errorf("%q: got %d, %v", tt.text, got, ok)
		}
	}
}

// fakeProc is a /proc of files.
type fakeProc struct {
	t    *testing.T
	root string
}

func (p fakeProc) put(pid int, name, text string) {
	p.t.Helper()
	dir := filepath.Join(p.root, fmt.Sprint(pid))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

func (p fakeProc) remove(pid int) {
	p.t.Helper()
	if err := os.RemoveAll(filepath.Join(p.root, fmt.Sprint(pid))); err != nil {
		p.t.Fatal(err)
	}
}

func TestReader(t *testing.T) {
	p := fakeProc{t, t.TempDir()}
	now := time.Unix(1000, 0)
	r := newReader(p.root, func() time.Time { return now })
	expect := func(when string, want model.Process) {
		t.Helper()
		want.PID = model.Some[uint32](7)
		if diff := cmp.Diff(want, r.Process(7)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	expect("before it exists", model.Process{})
	p.put(7, "stat", stat("web", 1))
	p.put(7, "status", "NSpid:\t7\t1\n")
	p.put(7, "cgroup", "0::/docker/"+id+"\n")
	expect("within a second of the last look", model.Process{})
	now = now.Add(trusted)
	web := model.Process{Comm: "web", NSPID: model.Some[uint32](1), Container: short}
	expect("once it exists", web)
	p.put(7, "stat", stat("exec", 1))
	now = now.Add(trusted)
	web.Comm = "exec"
	expect("after an exec", web)
	p.put(7, "cgroup", "0::/system.slice/x.service\n")
	now = now.Add(fresh)
	expect("after it was moved", model.Process{Comm: "exec", NSPID: web.NSPID, Unit: "x.service"})
	p.remove(7)
	now = now.Add(trusted)
	expect("just gone", model.Process{Comm: "exec", NSPID: web.NSPID, Unit: "x.service"})
	p.put(7, "stat", stat("new", 99))
	expect("its pid used again", model.Process{Comm: "new"})
	p.remove(7)
	now = now.Add(fresh)
	expect("long gone", model.Process{})
}

func TestReaderIsBounded(t *testing.T) {
	r := newReader(t.TempDir(), time.Now)
	for pid := range uint32(3 * maxProcesses) {
		r.Process(pid)
		if len(r.cache) > maxProcesses {
			t.Fatalf("%d processes kept", len(r.cache))
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("0::/system.slice/docker-" + id + ".scope\n")
	f.Add(stat("x", 1))
	f.Add("NSpid:\t1\t2\n")
	f.Fuzz(func(t *testing.T, text string) {
		if c, _ := ParseCgroup(text); strings.ContainsAny(c, "/\n") {
			t.Errorf("container %q", c)
		}
		parseStat(text)
		parseNSPID(text)
	})
}
