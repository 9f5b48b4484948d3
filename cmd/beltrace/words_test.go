// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"beltrace/collector/event"
	"beltrace/collector/live"
	"beltrace/collector/model"
	"beltrace/collector/probes"
)

func TestExitCode(t *testing.T) {
	for _, c := range []struct {
		err  error
		code int
		line string
	}{
		{nil, 0, ""},
		{fmt.Errorf("open: %w", context.Canceled), 0, ""},
		{fmt.Errorf("print: %w", errUnread), 0, ""},
		{fmt.Errorf("write recording: %w", syscall.EPIPE), 1, "write recording: broken pipe"},
		{usagef("unknown flag --x"), 2, "unknown flag --x"},
		{&live.Unsupported{What: "no BTF", Do: "use another kernel"}, 3, "no BTF: use another kernel"},
		{fmt.Errorf("open: %w", &live.Unsupported{What: "no BTF"}), 3, "open: no BTF"},
		{status(130), 130, ""},
		{errors.New("disk full"), 1, "disk full"},
		{errors.Join(errors.New("one"), errors.New("two")), 1, "one; two"},
	} {
		if got := exitCode(c.err); got != c.code {
			t.Errorf("exit code of %v is %d, want %d", c.err, got, c.code)
		}
		if got := errorLine(c.err); got != c.line {
			t.Errorf("line of %v is %q, want %q", c.err, got, c.line)
		}
	}
}

// TestUnreadOutput: a write to a pipe that nobody reads is told apart from other failures.
func TestUnreadOutput(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r.Close()
	if _, err := (stdout{File: w}).Write([]byte("x")); !errors.Is(err, errUnread) {
		t.Errorf("write: %v", err)
	}
	w.Close()
	if _, err := (stdout{File: w}).WriteString("x"); err == nil || errors.Is(err, errUnread) {
		t.Errorf("write to a closed file: %v", err)
	}
}

// fullDisk takes nothing.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

// TestUnwrittenOutput: what could not be written is a failure, with its reason, for everything that only prints.
func TestUnwrittenOutput(t *testing.T) {
	for _, args := range [][]string{{"help"}, {"--help"}, {"help", "trace"}, {"demo", "--help"}, {"version"}, {"demo"}, {"completion", "zsh"}} {
		var stderr bytes.Buffer
		a := &app{in: os.Stdin, out: fullDisk{}, err: &stderr}
		if code := a.main(args); code != exitFailed || stderr.String() != "beltrace: no space left on device\n" {
			t.Errorf("%v: exit %d, %q", args, code, stderr.String())
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"connect", "accept", "close", "listen", "top"}
	for _, c := range []struct{ name, want string }{
		{"conect", "connect"}, {"acept", "accept"}, {"clsoe", "close"}, {"unlisten", "listen"},
		{"CONNECT", "connect"}, {"con", "connect"}, {"tpo", "top"}, {"tops", "top"},
		{"acpt", "accept"}, {"nope", ""}, {"xyzxyz", ""}, {"foo", ""}, {"q", ""}, {"", ""},
	} {
		got, ok := nearest(c.name, names)
		if got != c.want || ok != (c.want != "") {
			t.Errorf("nearest to %q is %q, want %q", c.name, got, c.want)
		}
	}
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"same", "same", 0}, {"ab", "ba", 1}, {"acb", "abcd", 2}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance of %q and %q is %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestEndLine(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, "[api has ended with status 0]"},
		{status(7), "[api has ended with status 7]"},
		{status(137), "[api was ended by signal 9: killed]"},
	} {
		if got := endLine("api", c.err); got != c.want {
			t.Errorf("%v: %q, want %q", c.err, got, c.want)
		}
	}
}

func TestTail(t *testing.T) {
	var out tail
	for _, piece := range []string{"one\ntw", "o\r\n", "\nrest"} {
		if n, err := out.Write([]byte(piece)); n != len(piece) || err != nil {
			t.Fatalf("wrote %d, %v", n, err)
		}
	}
	if got := out.Lines(); !slices.Equal(got, []string{"one", "two", "", "rest"}) {
		t.Errorf("lines %q", got)
	}
	for i := range 3 * tailLines {
		fmt.Fprintf(&out, "line %d\n", i)
	}
	got := out.Lines()
	if len(got) != tailLines || got[len(got)-1] != fmt.Sprintf("line %d", 3*tailLines-1) {
		t.Errorf("%d lines, the last %q", len(got), got[len(got)-1])
	}
	out.Write([]byte(strings.Repeat("x", 3*tailWidth)))
	out.Write([]byte("y\nz\n"))
	if got = out.Lines(); len(got[len(got)-2]) != tailWidth || got[len(got)-1] != "z" {
		t.Errorf("a long line has %d bytes, then comes %q", len(got[len(got)-2]), got[len(got)-1])
	}
}

func TestSelection(t *testing.T) {
	ev := func(conn, listener uint64, port uint16, pid uint32, comm string) event.Event {
		e := event.Event{Kind: event.Established, Conn: conn, Local: netip.AddrPortFrom(netip.IPv4Unspecified(), port)}
		e.NetNS = map[uint16]uint32{80: 4026531840, 443: 4026531839}[port]
		e.Set(event.FieldConn, event.FieldLocal, event.FieldNetNS)
		if listener != 0 {
			e.ListenerConn = listener
			e.Set(event.FieldListenerConn)
		}
		if pid != 0 {
			e.PID, e.Comm, e.Container, e.Unit = pid, comm, "0123456789ab", comm+".service"
			e.Set(event.FieldPID, event.FieldComm, event.FieldContainer, event.FieldUnit)
		}
		return e
	}
	thread := func(pid uint32, comm string) event.Event {
		e := event.Event{Kind: event.Thread, PID: pid, TID: pid + 1, Comm: comm}
		return *e.Set(event.FieldPID, event.FieldTID, event.FieldComm)
	}
	of := func(kind event.Kind, pid uint32) event.Event {
		e := event.Event{Kind: kind, PID: pid, Comm: map[uint32]string{7: "nginx", 8: "haproxy"}[pid]}
		return *e.Set(event.FieldPID, event.FieldComm)
	}
	space := event.Event{Kind: event.NetNS, NetNS: 4026531840}
	space.Set(event.FieldNetNS)
	events := []event.Event{
		ev(1, 0, 80, 7, "nginx"),    // the listener
		ev(2, 1, 80, 0, ""),         // its connection, whose owner is not known
		ev(2, 0, 0, 0, ""),          // something about it, without an address
		ev(3, 0, 443, 8, "haproxy"), // another process's
		lost(),
		thread(7, "nginx"),
		thread(8, "haproxy"),
		of(event.Ring, 7),
		of(event.UringComplete, 8),
		of(event.Offcpu, 7), // of a thread that had several requests
		space,
	}
	for _, c := range []struct {
		flags watchFlags
		want  []int
	}{
		{watchFlags{ports: numbers{list: []uint64{80}}}, []int{0, 1, 2, 4, 5, 7, 9, 10}},
		{watchFlags{ports: numbers{list: []uint64{80, 443}}}, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}},
		{watchFlags{pids: numbers{list: []uint64{7}}}, []int{0, 1, 2, 4, 5, 7, 9, 10}},
		{watchFlags{comm: "haproxy"}, []int{3, 4, 6, 8, 10}},
		{watchFlags{container: "0123456789abcdef"}, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}},
		{watchFlags{netns: "4026531840"}, []int{0, 1, 2, 4, 5, 7, 9, 10}},
		{watchFlags{netns: "4026531841"}, []int{4}},
		{watchFlags{container: "ffff"}, []int{4, 10}},
		{watchFlags{container: "nginx.service"}, []int{0, 1, 2, 4, 5, 7, 9, 10}},
		{watchFlags{container: "haproxy"}, []int{3, 4, 6, 8, 10}},
		{watchFlags{container: "prox"}, []int{4, 10}},
		{watchFlags{comm: "nginx", ports: numbers{list: []uint64{443}}}, []int{4, 10}},
	} {
		s, err := c.flags.selection()
		if err != nil {
			t.Fatal(err)
		}
		var got []int
		for i := range events {
			if s.Pick(&events[i]) {
				got = append(got, i)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%v picks %v, want %v", s.words(), got, c.want)
		}
	}
	if s, err := (&watchFlags{}).selection(); s != nil || err != nil {
		t.Errorf("no flags select %v", s.words())
	}
}

func TestHomes(t *testing.T) {
	root := t.TempDir()
	id := strings.Repeat("0123456789abcdef", 4)
	for path, text := range map[string]string{
		"proc/7/cgroup":  "0::/system.slice/docker-" + id + ".scope\n",
		"proc/8/cgroup":  "0::/system.slice/docker-" + id + ".scope\n",
		"proc/9/cgroup":  "0::/system.slice/nginx.service\n",
		"proc/10/cgroup": "0::/system.slice/web.service\n",
		"proc/11/cgroup": "0::/user.slice/session-1.scope\n",
		"proc/self/stat": "",
		"var/lib/docker/containers/x/config.v2.json":                    `{"ID":"` + id + `","Name":"/web"}`,
		"var/lib/docker/containers/y/config.v2.json":                    `not JSON`,
		"var/lib/containers/storage/overlay-containers/containers.json": `[{"id":"ff00","names":["db"]}]`,
	} {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string][]uint32{
		"web": {7, 8}, // a container that an engine knows by this name goes before a unit
		id:    {7, 8}, id[:12]: {7, 8}, id[:5]: {7, 8},
		"web.service": {10}, "nginx.service": {9}, "nginx": {9}, "session-1.scope": {11},
		"db": nil, "0": nil, "nope": nil, "ngin": nil, "service": nil, ".service": nil, "session-1": nil,
	} {
		var got []uint32
		for _, m := range homeMembers(root, name)() {
			got = append(got, m.PID)
			if len(m.Cgroups) != 1 || !strings.HasPrefix(m.Cgroups[0], "/") {
				t.Errorf("--container %s: process %d is a member by %q", name, m.PID, m.Cgroups)
			}
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("--container %s has %v, want %v", name, got, want)
		}
	}
	if got := homes(root); !slices.Equal(got, []string{id[:12], "db", "nginx", "nginx.service", "session-1.scope", "web", "web.service"}) {
		t.Errorf("containers and units %v", got)
	}
}

func TestUserWord(t *testing.T) {
	if got := userWord(&credential{Uid: 1000, Gid: 1001, Groups: []uint32{1001, 27}}); got != "1000:1001,1001,27" {
		t.Errorf("user is written %q", got)
	}
	if got := userWord(nil); got != "-" || changeUser(got) != nil {
		t.Errorf("nobody is written %q", got)
	}
	for _, word := range []string{"", "x:1", "1:x", "1"} {
		if changeUser(word) == nil {
			t.Errorf("%q is taken for a user", word)
		}
	}
}

// TestHeader: a recording and the model are told the same about the probes.
func TestHeader(t *testing.T) {
	hook := &probes.Hook{How: probes.TPBTF, At: "tcp_x", Fidelity: model.Exact, Facts: map[string]model.Fidelity{"wait_ns": model.Derived}}
	info := live.Info{Host: "h", Kernel: "6.12", Arch: "amd64", Tier: probes.Full, BootOffset: 5, Start: 6, Probes: []live.ProbeInfo{
		{Probe: &probes.Probe{Name: "a", Facts: []string{"wait_ns", "fd"}}, Hook: hook},
		{Probe: &probes.Probe{Name: "b", Facts: []string{"fd", "syn"}}},
	}}
	o := optionsOf(headerOf(info))
	if diff := cmp.Diff(map[string]model.ProbeStatus{"a": {Hook: "tp_btf tcp_x", Fidelity: model.Exact}, "b": {Fidelity: model.Unknown}}, o.Probes); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]model.Fidelity{"wait_ns": model.Derived, "fd": model.Exact, "syn": model.Unknown}, o.Facts); diff != "" {
		t.Error(diff)
	}
	if o.Host != "h" || o.Kernel != "6.12" || o.Arch != "amd64" || o.Tier != "full" || o.WallOffset != 5 || o.Start != 6 {
		t.Errorf("%+v", o)
	}
}

// TestDoctorSaysAFailureOnce: programs for several kernels that fail at the same functions for the same reason are one line.
func TestDoctorSaysAFailureOnce(t *testing.T) {
	same := failure{"fentry f", "load: operation not permitted"}
	p := checkup{Name: "accept", Failed: []failure{same, same, {"kprobe f", "no kprobes"}}}
	var b strings.Builder
	p.write(&b, false)
	if got := strings.Count(b.String(), "not "+same.Hook); got != 1 || !strings.Contains(b.String(), "not kprobe f: no kprobes") {
		t.Errorf("%d lines:\n%s", got, b.String())
	}
}

// TestReadmeListsTheDemos: the list stands in the README as it is printed.
func TestReadmeListsTheDemos(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var stdout bytes.Buffer
	if code := (&app{in: os.Stdin, out: &stdout, err: io.Discard}).main([]string{"demo"}); code != exitDone {
		t.Fatalf("exit %d", code)
	}
	if list := stdout.String(); !strings.Contains(string(readme), list) {
		t.Errorf("the README does not have this list:\n%s", list)
	}
}

// TestUnknownShell asks whether a shell was meant that is near.
func TestUnknownShell(t *testing.T) {
	for shell, want := range map[string]string{
		"bsh":  `unknown shell "bsh": did you mean bash? (known: bash, zsh, fish, powershell)`,
		"tcsh": `unknown shell "tcsh" (known: bash, zsh, fish, powershell)`,
	} {
		var stderr bytes.Buffer
		a := &app{in: os.Stdin, out: io.Discard, err: &stderr}
		if code := a.main([]string{"completion", shell}); code != exitUsage || !strings.Contains(stderr.String(), want) {
			t.Errorf("completion %s: exit %d\n%swant 2 and %q", shell, code, stderr.String(), want)
		}
	}
}
