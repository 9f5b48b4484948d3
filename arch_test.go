// SPDX-License-Identifier: Apache-2.0

package beltrace_test

import (
	"go/build"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "beltrace/"

// arrows says which of our packages a package may import, and why no others. The first line that matches holds; "x/..."
// stands for x and all below it.
var arrows = []struct {
	pkg  string
	may  []string
	why  string
	test []string // what its tests may import as well
}{
	{pkg: "collector/event", why: "the schema is shared by everything, so it depends on nothing"},
	{pkg: "collector/model", why: "the model is plain values that every view reads, so it depends on nothing"},
	{pkg: "collector/probes", may: []string{"collector/event", "collector/model"},
		why: "the table is data: who attaches the hooks is not its business"},
	{pkg: "collector/procinfo", may: []string{"collector/model"},
		why: "it reads /proc and nothing else, so that the collector can be given it, or nothing on a replay"},
	{pkg: "collector/record", may: []string{"collector/event"},
		why: "a recording is events and nothing else, readable without privileges on any system"},
	{pkg: "collector/lens/...", may: []string{"collector/event"},
		why: "a protocol is cut out of bytes alone"},
	{pkg: "collector/insight/...", may: []string{"collector/model"},
		why: "a finding follows from the model alone, so it is the same live and replayed"},
	{pkg: "collector/live", may: []string{"bpf", "collector/event", "collector/model", "collector/probes", "internal/gofunc", "internal/symbol"},
		why: "live only turns the kernel's records into events; what they mean is the collector's business"},
	{pkg: "collector/procinfo", may: []string{"collector/model"},
		why: "it reads /proc and nothing else; the collector gets it as a function, so that a replay needs none"},
	{pkg: "collector", may: []string{"collector/event", "collector/model", "collector/lens/...", "collector/insight/..."},
		test: []string{"collector/record"},
		why:  "the collector must not know where events come from or who looks at them, so that a replay is as good as the kernel"},
	{pkg: "bpf", why: "it holds what the compiler generated and nothing else"},
	{pkg: "internal/view/...", may: []string{"collector/event", "collector/model", "internal/view/..."},
		why: "a view shows a snapshot and cannot change or fetch anything"},
	{pkg: "tui/...", may: []string{"collector/event", "collector/model", "internal/view/...", "tui/..."},
		why: "the dashboard shows snapshots and cannot change or fetch anything"},
	{pkg: "demos", may: []string{"demos/..."}, why: "it is only the list of demos"},
	{pkg: "demos/demotest", may: []string{"demos/demo", "collector/event", "collector/model"}, test: []string{"demos"},
		why: "the contract is checked the same way for each demo"},
	{pkg: "demos/demo", may: []string{"collector/event", "collector/model", "internal/unix"}, test: []string{"internal/gofunc"},
		why: "a claim reads a snapshot, wherever it comes from; a demo must not see the collector it is to convince"},
	{pkg: "demos/execution", may: []string{"demos/demo", "collector/event", "collector/model", "internal/unix", "internal/uring"}, test: []string{"demos/demotest"},
		why: "a demo stands alone, and must not see the collector it is to convince; the ring is a means, as sockets are"},
	{pkg: "demos/...", may: []string{"demos/demo", "collector/event", "collector/model", "internal/unix", "internal/uring"}, test: []string{"demos/demotest"},
		why: "each demo stands alone, and must not see the collector it is to convince"},
	{pkg: "internal/symbol", may: []string{"internal/gofunc"}, why: "names of code are found in files alone"},
	{pkg: "internal/screens", may: []string{"internal/unix"}, why: "its servers are programs of their own; it starts beltrace as a user does"},
	{pkg: "internal/...", why: "small helpers know nothing of beltrace"},
	{pkg: "test/...", may: []string{"..."}},
	{pkg: "cmd/...", may: []string{"..."}},
	{pkg: "", test: []string{"collector/event", "collector/probes"}, why: "it holds the drawing and no code"},
}

// bans are imports that only a few places may have, tests among them.
var bans = []struct {
	imports string
	only    []string // "x/..." as above
	why     string
}{
	{"github.com/cilium/ebpf/...", []string{"bpf", "collector/live", "test/..."},
		"everything right of event.Event must build and run without a Linux kernel"},
	{"github.com/rivo/tview/...", []string{"tui/...", "cmd/..."}, "only the dashboard draws"},
	{"github.com/gdamore/tcell/...", []string{"tui/...", "cmd/..."}, "only the dashboard draws"},
	{"github.com/spf13/...", []string{"cmd/..."}, "only commands have flags"},
	{"beltrace/tui/...", []string{"tui/...", "cmd/..."}, "a view of the data must never be what the data depends on"},
	{"beltrace/collector", []string{"cmd/...", "test/..."}, "collector and demos meet in cmd, and views read snapshots"},
	{"beltrace/collector/live", []string{"cmd/...", "test/..."}, "it needs privileges; everything else reads an event.Source"},
}

// systems lists who may have files for one operating system only. All else is the same everywhere, so that a recording is
// shown on macOS by the code that is tested on Linux.
var systems = []struct{ files, why string }{
	{"collector/live/*", "it is the kernel"},
	{"cmd/beltrace/platform_*.go", "the one place for what differs between systems in the command"},
	{"demos/execution/system_*.go", "epoll, io_uring and timers that are descriptors are Linux's alone"},
	{"demos/requestcost/cookie_*.go", "only Linux gives a connection a number"},
	{"demos/synqueue/deaf_*.go", "a client that hears nothing is made by a socket option that not every system has"},
	{"internal/testkit/*", "tests of the kernel need it"},
	{"internal/unix/system_*.go", "the demos' system calls are there on unix alone"},
	{"internal/uring/*", "only Linux has io_uring"},
	{"test/*/*", "tests of the kernel"},
}

// TestSystems tests that no file but those depends on the operating system, tests aside.
func TestSystems(t *testing.T) {
	used := map[string]bool{}
	for _, f := range goFiles(t) {
		if f.test || !dependsOnSystem(t, f.path) {
			continue
		}
		i := slices.IndexFunc(systems, func(s struct{ files, why string }) bool {
			ok, _ := path.Match(s.files, f.path)
			return ok
		})
		if i < 0 {
			t.Errorf("%s is for some operating systems only: move what differs to cmd/beltrace/platform_*.go", f.path)
			continue
		}
		used[systems[i].files] = true
	}
	for _, s := range systems {
		if !used[s.files] {
			t.Errorf("%s has no file that depends on the system: it needs no exception", s.files)
		}
	}
}

// dependsOnSystem reports whether a file is compiled on one system and not on another.
func dependsOnSystem(t *testing.T, file string) bool {
	t.Helper()
	in := map[bool]int{}
	for _, system := range []string{"linux", "darwin", "freebsd", "windows"} {
		c := build.Default
		c.GOOS, c.GOARCH, c.CgoEnabled = system, "arm64", false
		ok, err := c.MatchFile(path.Dir(file), path.Base(file))
		if err != nil {
			t.Fatal(err)
		}
		in[ok]++
	}
	return len(in) > 1
}

// TestReplayPath tests that nothing of BPF is in the program for macOS and Windows.
func TestReplayPath(t *testing.T) {
	for _, system := range []string{"darwin", "windows"} {
		t.Run(system, func(t *testing.T) { replayPath(t, system) })
	}
}

func replayPath(t *testing.T, system string) {
	cmd := exec.Command("go", "list", "-deps", "./cmd/beltrace")
	cmd.Env = append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("list what the program for %s is made of: %v", system, err)
	}
	deps := strings.Fields(string(out))
	for _, need := range []string{"collector", "collector/record", "internal/view", "tui", "demos"} {
		if !slices.Contains(deps, module+need) {
			t.Errorf("%s is not in it", need)
		}
	}
	for _, d := range deps {
		if d == module+"bpf" || matches("github.com/cilium/ebpf/...", d) {
			t.Errorf("%s is in it, and has nothing to do there", d)
		}
	}
}

// mayTest lists packages that may import "testing" without being tests.
var mayTest = []string{"internal/testkit/...", "internal/view/viewtest", "demos/demotest"}

func TestImports(t *testing.T) {
	for _, f := range goFiles(t) {
		for _, imp := range f.imports {
			if why := forbidden(f, imp); why != "" {
				t.Errorf("%s imports %s: %s", f.path, imp, why)
			}
		}
	}
}

// forbidden says why a file must not have that import, or "".
func forbidden(f goFile, imp string) string {
	for _, b := range bans {
		if matches(b.imports, imp) && !matchesAny(b.only, f.dir) && !(f.test && imp == module+f.dir) {
			return "only " + strings.Join(b.only, ", ") + " may, because " + b.why
		}
	}
	if imp == "testing" && !f.test && !matchesAny(mayTest, f.dir) {
		return "it brings the flags of go test into the program; put helpers of tests into internal/testkit"
	}
	ours, ok := strings.CutPrefix(imp, module)
	if !ok {
		if std, _, _ := strings.Cut(imp, "/"); strings.Contains(std, ".") && !f.test && slices.Contains([]string{"collector/event", "collector/model"}, f.dir) {
			return "this package depends on the standard library alone, as every other one depends on it"
		}
		return ""
	}
	for _, a := range arrows {
		if !matches(a.pkg, f.dir) {
			continue
		}
		inTest := f.test && (ours == f.dir || matchesAny(a.test, ours) || matchesAny(mayTest, ours))
		if matchesAny(a.may, ours) || inTest {
			return ""
		}
		return a.why + " (it may import " + strings.Join(append(a.may, "nothing else of ours"), ", ") + ")"
	}
	return "no arrow is drawn for " + f.dir + ": add it to arrows in arch_test.go"
}

// matches reports whether pkg is pattern; "x/..." also matches everything below x, and "..." everything.
func matches(pattern, pkg string) bool {
	if pattern == "..." {
		return true
	}
	if root, ok := strings.CutSuffix(pattern, "/..."); ok {
		return pkg == root || strings.HasPrefix(pkg, root+"/")
	}
	return pattern == pkg
}

func matchesAny(patterns []string, pkg string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, pkg) })
}

// TestForbidden tests the rules themselves: the imports that architecture rules out are refused.
func TestForbidden(t *testing.T) {
	for _, tt := range []struct {
		file, imports string
		ok            bool
	}{
		{"collector/conn.go", "beltrace/collector/event", true},
		{"collector/conn.go", "beltrace/collector/record", false},
		{"collector/conn_test.go", "beltrace/collector/record", true},
		{"collector/conn.go", "beltrace/demos/demo", false},
		{"collector/conn_test.go", "beltrace/demos/demo", false},
		{"collector/event/event.go", "golang.org/x/sys/unix", false},
		{"collector/event/event.go", "net/netip", true},
		{"collector/record/reader.go", "github.com/cilium/ebpf", false},
		{"demos/tcp/server.go", "beltrace/collector", false},
		{"demos/tcp/server.go", "beltrace/demos/udp", false},
		{"demos/tcp/tcp_test.go", "beltrace/demos/demotest", true},
		{"internal/view/json.go", "beltrace/tui", false},
		{"tui/page.go", "beltrace/collector/live", false},
		{"tui/page.go", "testing", false},
		{"cmd/beltrace/top.go", "beltrace/tui", true},
		{"unheard/of.go", "beltrace/collector/event", false},
	} {
		f := goFile{path: tt.file, dir: path.Dir(tt.file), test: strings.HasSuffix(tt.file, "_test.go")}
		if why := forbidden(f, tt.imports); (why == "") != tt.ok {
			t.Errorf("%s imports %s: allowed %v (%s), want %v", tt.file, tt.imports, why == "", why, tt.ok)
		}
	}
}
