// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"beltrace/test/result"
)

// printf makes a command that prints events and exits with a code.
func printf(events, code string) []string {
	return []string{"sh", "-c", `printf '%s\n' "$1"; exit "$2"`, "sh", events, code}
}

const (
	passEvent = `{"Action":"run","Package":"p","Test":"T"}` + "\n" + `{"Action":"pass","Package":"p","Test":"T"}` + "\n" + `{"Action":"pass","Package":"p","Elapsed":1}`
	failEvent = `{"Action":"run","Package":"p","Test":"T"}` + "\n" + `{"Action":"output","Package":"p","Test":"T","Output":"got 1, want 2\n"}` + "\n" +
		`{"Action":"fail","Package":"p","Test":"T"}` + "\n" + `{"Action":"output","Package":"p","Output":"FAIL\n"}` + "\n" + `{"Action":"fail","Package":"p"}`
	skipEvent = `{"Action":"run","Package":"p","Test":"T"}` + "\n" + `{"Action":"output","Package":"p","Test":"T","Output":"    a_test.go:1: no tmux here\n"}` + "\n" +
		`{"Action":"skip","Package":"p","Test":"T"}`
)

func TestSuite(t *testing.T) {
	for name, tt := range map[string]struct {
		stage stage
		want  result.Counts
		says  string
	}{
		"passed":     {stage{Commands: commands(printf(passEvent, "0"))}, result.Counts{Passed: 1}, "ok   p"},
		"failed":     {stage{Commands: commands(printf(failEvent, "1"))}, result.Counts{Failed: 1}, "got 1, want 2"},
		"skipped":    {stage{Commands: commands(printf(skipEvent, "0"))}, result.Counts{Skipped: 1}, "skipped 1: no tmux here"},
		"left out":   {stage{Name: "guests", LeftOut: "no QEMU"}, result.Counts{}, "left out: guests: no QEMU"},
		"no tests":   {stage{Commands: commands(printf("", "2"))}, result.Counts{Failed: 1}, "exit status 2"},
		"bad exit":   {stage{Commands: commands(printf(passEvent, "1"))}, result.Counts{Passed: 1, Failed: 1}, "exit status 1"},
		"no command": {stage{Commands: commands([]string{"/none"})}, result.Counts{Failed: 1}, "/none"},
		"no list": {stage{Commands: func(context.Context) ([][]string, error) { return nil, errors.New("go list: broken") }},
			result.Counts{Failed: 1}, "go list: broken"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			s := &suite{out: &out, skips: map[string]int{}}
			s.run(context.Background(), tt.stage)
			s.close()
			if s.total != tt.want {
				t.Errorf("total %v, want %v", s.total, tt.want)
			}
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			if got := lines[len(lines)-1]; got != tt.want.String() {
				t.Errorf("closing line %q, want %q", got, tt.want)
			}
			if !strings.Contains(out.String(), tt.says) {
				t.Errorf("does not say %q:\n%s", tt.says, out.String())
			}
		})
	}
}

// TestAgain: what fails is tried once more where the stage asks for it, and named when it passes then.
func TestAgain(t *testing.T) {
	passes, fails := printf(passEvent, "0"), printf(failEvent, "1")
	for name, tt := range map[string]struct {
		again []string
		want  result.Counts
		says  bool
	}{
		"passes":  {passes, result.Counts{Passed: 1}, true},
		"fails":   {fails, result.Counts{Failed: 1}, false},
		"no test": {printf("", "1"), result.Counts{Failed: 1}, false},
		"not":     {nil, result.Counts{Failed: 1}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			s := &suite{out: &out, skips: map[string]int{}}
			s.run(context.Background(), stage{Commands: commands(fails), Again: func([]string, result.Run) []string { return tt.again }})
			s.close()
			if s.total != tt.want {
				t.Errorf("total %v, want %v", s.total, tt.want)
			}
			if says := strings.Contains(out.String(), "passed in a second try: p T, at first: "); says != tt.says {
				t.Errorf("names the second try: %v, want %v:\n%s", says, tt.says, out.String())
			}
		})
	}
}

// TestJobs: commands that run at the same time are summed up as if one came after the other.
func TestJobs(t *testing.T) {
	var out bytes.Buffer
	s := &suite{out: &out, skips: map[string]int{}}
	s.run(context.Background(), stage{Jobs: 3, Commands: commands(printf(passEvent, "0"), printf(failEvent, "1"), printf(passEvent, "0"), printf(skipEvent, "0"))})
	if want := (result.Counts{Passed: 2, Failed: 1, Skipped: 1}); s.total != want {
		t.Errorf("total %v, want %v", s.total, want)
	}
}

// TestKernelTestsAgain: the second try runs those tests alone.
func TestKernelTestsAgain(t *testing.T) {
	argv, _ := kernelTests(options{})(context.Background())
	first := result.Run{{Package: "p", Test: "TestA/x", Action: "fail"}, {Package: "p", Action: "output", Output: "FAIL\n"}, {Package: "p", Action: "fail"}}
	if got := strings.Join(kernelTestsAgain(argv[0], first), " "); !strings.HasPrefix(got, "go test -json -run=^(TestA)$ -count=1 ") {
		t.Errorf("the second try is %q", got)
	}
	if again := kernelTestsAgain(argv[0], append(first, result.Event{Package: "q", Action: "fail"})); again != nil {
		t.Errorf("after a package that died the second try is %q", again)
	}
}

func commands(argv ...[]string) func(context.Context) ([][]string, error) {
	return func(context.Context) ([][]string, error) { return argv, nil }
}

// TestStagesSayWhy tests that a stage which does not run says why.
func TestStagesSayWhy(t *testing.T) {
	for _, st := range stages(options{}) {
		if st.Commands == nil && st.LeftOut == "" {
			t.Errorf("stage %q neither runs nor says why", st.Name)
		}
	}
}

// TestSome: with -run and -packages only those tests run, in the stage that they belong to, and no guest.
func TestSome(t *testing.T) {
	t.Chdir("../..") // where make runs it
	for name, tt := range map[string]struct {
		o            options
		unit, kernel string // the ends of the commands; empty: none runs
	}{
		"a unit test":   {options{Run: "^TestA$", Packages: []string{"beltrace/test/result"}, Guests: true}, "-run=^TestA$ beltrace/test/result", ""},
		"a kernel test": {options{Run: "^TestA$", Packages: []string{"beltrace/collector/live"}}, "", "-run=^TestA$ beltrace/collector/live"},
		"by name":       {options{Run: "^TestA$"}, " beltrace/tui", "-run=^TestA$ beltrace/collector/live beltrace/test/truth"},
	} {
		t.Run(name, func(t *testing.T) {
			all := stages(tt.o)
			if len(all) != 2 {
				t.Fatalf("%d stages, want those of unit and kernel tests", len(all))
			}
			for i, want := range []string{tt.unit, tt.kernel} {
				if os.Geteuid() != 0 && (i == 1 || want == "") {
					continue // without privileges all are unit tests
				}
				argv, err := all[i].Commands(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				if want == "" && len(argv) == 0 {
					continue
				}
				if len(argv) != 1 || want == "" || !strings.HasSuffix(strings.Join(argv[0], " "), want) {
					t.Errorf("%s: %q, want %q", all[i].Name, argv, want)
				}
			}
		})
	}
	argv := []string{"go", "test", "-json", "-count=1", "-run=^TestA", "p"}
	failed := result.Run{{Package: "p", Test: "TestA1", Action: "fail"}}
	if got := strings.Join(kernelTestsAgain(argv, failed), " "); got != "go test -json -run=^(TestA1)$ -count=1 p" {
		t.Errorf("the second try is %q", got)
	}
}
