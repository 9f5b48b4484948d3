// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"beltrace/test/result"
)

// kernelPackages attach probes to the running kernel and measure it: as root they run alone, and never from the test
// cache. Without privileges their other tests run as unit tests.
var kernelPackages = []string{"beltrace/collector/live", "beltrace/test/truth"}

// stages are the parts of the suite in the order in which they run: the quick ones first.
func stages(o options) []stage {
	all := []stage{
		{Name: "unit tests", Commands: unitTests(o)},
		{Name: "kernel tests on this machine", Commands: kernelTests(o), LeftOut: notRoot(), Again: kernelTestsAgain},
		{Name: "fuzz tests", Commands: fuzzTests(o.Fuzz), LeftOut: noFuzz(o.Fuzz), Jobs: fuzzJobs, Again: fuzzAgain},
	}
	if o.some() {
		return all[:2]
	}
	all = append(all, guests(o)...)
	return append(all, stage{Name: "other guests", LeftOut: "forced tiers on 5.10 and 7.x, and arm64 beyond 6.12 full: `make test-vm` runs them"})
}

func notRoot() string {
	if os.Geteuid() == 0 {
		return ""
	}
	return "not root: `make test-root` runs them with sudo"
}

func noFuzz(d time.Duration) string {
	if d > 0 {
		return ""
	}
	return "their seeds ran as unit tests; `make test FUZZ=20s` looks for new inputs"
}

// emulators are the guests' architectures, with the program and the Debian package that emulates each.
var emulators = []struct{ arch, qemu, pkg string }{
	{"amd64", "qemu-system-x86_64", "qemu-system-x86"},
	{"arm64", "qemu-system-aarch64", "qemu-system-arm"},
}

// guests is the stage of the guests that this machine can emulate; the others are a stage that is left out.
func guests(o options) []stage {
	const name = "kernel tests in guests"
	if !o.Guests {
		return []stage{{Name: name, LeftOut: "asked not to"}}
	}
	var able []string
	var all []stage
	for _, e := range emulators {
		if _, err := exec.LookPath(e.qemu); err != nil {
			why := fmt.Sprintf("%s is not installed: apt-get install %s", e.qemu, e.pkg)
			all = append(all, stage{Name: name + " (" + e.arch + ")", LeftOut: why})
			continue
		}
		able = append(able, e.arch)
	}
	if len(able) > 0 {
		all = append(all, stage{Name: name, Commands: guestTests(able)})
	}
	return all
}

func unitTests(o options) func(context.Context) ([][]string, error) {
	return func(ctx context.Context) ([][]string, error) {
		all, err := packages(ctx, o)
		if err != nil {
			return nil, err
		}
		if notRoot() == "" {
			all = slices.DeleteFunc(all, func(p string) bool { return slices.Contains(kernelPackages, p) })
		}
		return goTest(o, all), nil
	}
}

func kernelTests(o options) func(context.Context) ([][]string, error) {
	return func(ctx context.Context) ([][]string, error) {
		asked := kernelPackages
		if o.some() {
			all, err := packages(ctx, o)
			if err != nil {
				return nil, err
			}
			asked = slices.DeleteFunc(all, func(p string) bool { return !slices.Contains(kernelPackages, p) })
		}
		return goTest(o, asked, "-count=1", "-p=1", "-timeout=15m"), nil
	}
}

// goTest is the command that tests these packages, or none if there are none.
func goTest(o options, packages []string, flags ...string) [][]string {
	if len(packages) == 0 {
		return nil
	}
	argv := append([]string{"go", "test", "-json"}, flags...)
	if o.Run != "" {
		argv = append(argv, "-run="+o.Run)
	}
	return [][]string{append(argv, packages...)}
}

// kernelTestsAgain runs what failed alone: other work of this machine may have broken a bound on times. What passes
// then is named at the end.
func kernelTestsAgain(argv []string, first result.Run) []string {
	names := first.Failed()
	if len(names) == 0 {
		return nil
	}
	again := slices.DeleteFunc(slices.Clone(argv), func(arg string) bool { return strings.HasPrefix(arg, "-run=") })
	return slices.Insert(again, 3, "-run="+result.Pattern(names))
}

// guestTests runs the guests of these architectures: by one command, so that none waits for the other's last one.
func guestTests(arches []string) func(context.Context) ([][]string, error) {
	return func(ctx context.Context) ([][]string, error) {
		// Not by go run: it would not hand on our signal, and the guests would live on.
		const vm = "bin/test-vm"
		_, err := goOutput(ctx, "build", "-o", vm, "./test/vm")
		command := []string{vm, "-json", "-ci"}
		if len(arches) == 1 {
			command = append(command, "-arch", arches[0])
		}
		return [][]string{command}, err
	}
}

// fuzzJobs is how many fuzz tests run at the same time, each with its share of the CPUs.
const fuzzJobs = 2

// fuzzAgain tries again what failed by Go's own deadline alone. An input that fails is never tried again.
func fuzzAgain(argv []string, first result.Run) []string {
	if first.FuzzDeadline() {
		return argv
	}
	return nil
}

// fuzzTests runs each fuzz test for a time of its own: go test takes one at a time.
func fuzzTests(d time.Duration) func(context.Context) ([][]string, error) {
	return func(ctx context.Context) ([][]string, error) {
		out, err := goOutput(ctx, "test", "-list", "^Fuzz", "./...")
		if err != nil {
			return nil, err
		}
		workers := fmt.Sprintf("-parallel=%d", max(1, runtime.NumCPU()/fuzzJobs))
		var commands [][]string
		var names []string // of the package whose line comes after them: "ok  	PACKAGE	TIME"
		for line := range strings.Lines(out) {
			switch f := strings.Fields(line); {
			case len(f) == 1 && strings.HasPrefix(f[0], "Fuzz"):
				names = append(names, f[0])
			case len(f) > 1 && f[0] == "ok":
				for _, n := range names {
					commands = append(commands, []string{"go", "test", "-json", "-run=^$", "-fuzz=^" + n + "$", "-fuzztime=" + d.String(), workers, f[1]})
				}
				names = nil
			}
		}
		if len(commands) == 0 {
			return nil, fmt.Errorf("no fuzz test found")
		}
		return commands, nil
	}
}

// packages lists the packages that were asked for: the module's.
func packages(ctx context.Context, o options) ([]string, error) {
	asked := o.Packages
	if len(asked) == 0 {
		asked = []string{"./..."}
	}
	out, err := goOutput(ctx, append([]string{"list"}, asked...)...)
	return strings.Fields(out), err
}

func goOutput(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	return string(out), nil
}
