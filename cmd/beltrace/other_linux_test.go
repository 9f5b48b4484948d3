// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestOtherSystems tests the program as it is on macOS. We have none here, but the files that make the difference: it
// is built from those for other systems, in place of those for Linux.
func TestOtherSystems(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	program := buildWithout(t, "linux")
	t.Run("kernel", func(t *testing.T) {
		for _, args := range []string{"", "top --once", "top --once --json", "trace --json", "trace all", "run -- true",
			"record file.ndjson", "record file.ndjson -- true", "demo request-response --headless", "demo connect-accept --json", "demo syn-queue --headless",
			"doctor", "doctor --json", "report --for 1s"} {
			t.Run(args, func(t *testing.T) { needsKernel(t, program, strings.Fields(args)) })
		}
	})
	t.Run("none", func(t *testing.T) { worksAnywhere(t, program) })
	t.Run("serve", func(t *testing.T) { servesAlone(t, program) })
}

// worksAnywhere tests what needs no kernel.
func worksAnywhere(t *testing.T, program string) {
	for args, want := range map[string]string{
		"replay " + mustAbs(t, "testdata/short.ndjson"):               "127.0.0.1:8080",
		"replay --json --once " + mustAbs(t, "testdata/short.ndjson"): `"schema":1`,
		"report " + mustAbs(t, "testdata/short.ndjson"):               "127.0.0.1:8080",
		"replay demo:connect-accept":                                  "7 of 7 claims proven",
		"demo":                                                        "request-response", "version": "schema", "completion zsh": "#compdef", "help": "replay",
	} {
		out, err := exec.Command(program, strings.Fields(args)...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v, no %q in\n%s", args, err, want, out)
		}
	}
}

// needsKernel tests that a command line ends with status 3 and one line that says where there is a kernel.
func needsKernel(t *testing.T, program string, args []string) {
	cmd := exec.Command(program, args...)
	cmd.Dir = t.TempDir()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err := cmd.Run()
	if code := cmd.ProcessState.ExitCode(); code != exitUnsupported {
		t.Errorf("exit status %d (%v), want %d", code, err, exitUnsupported)
	}
	if s := stderr.String(); !strings.Contains(s, "make vm") || strings.Count(s, "\n") != 1 {
		t.Errorf("it says %q, want one line that names make vm", s)
	}
	if left, err := os.ReadDir(cmd.Dir); err != nil || len(left) > 0 {
		t.Errorf("it left %v behind, %v", left, err)
	}
}

// servesAlone tests demo --serve-only: the backend serves, and it is said that nothing is proven.
func servesAlone(t *testing.T, program string) {
	cmd := exec.Command(program, "demo", "request-response", "--serve-only")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	addr := make([]byte, 64)
	n, err := out.Read(addr)
	if err != nil {
		t.Errorf("no address: %v", err)
	}
	client := http.Client{Timeout: 10 * time.Second}
	res, err := client.Get("http://" + strings.TrimSpace(string(addr[:n])) + "/orders/7")
	if err != nil {
		t.Errorf("ask the server: %v", err)
	} else {
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || !strings.Contains(string(body), `"id":7`) {
			t.Errorf("it answers %s, %v", body, err)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("end: %v", err)
	}
	if s := stderr.String(); !strings.Contains(s, "no kernel evidence") || !strings.Contains(s, "make vm") {
		t.Errorf("it says %q", s)
	}
}

// TestNoUnix tests the program as it is on Windows, in the same way: nothing can be started there, so no demo serves.
func TestNoUnix(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	program := buildWithout(t, "linux", "unix")
	for _, args := range []string{"top --once", "run -- true", "record file.ndjson", "demo request-response", "demo accept-queue --serve-only", "doctor"} {
		t.Run(args, func(t *testing.T) { needsKernel(t, program, strings.Fields(args)) })
	}
	worksAnywhere(t, program)
}

// buildWithout builds the program with the files for systems that are none of these, in place of those for them.
func buildWithout(t *testing.T, systems ...string) string {
	t.Helper()
	dir := t.TempDir()
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	root := mustAbs(t, "../..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return err
		case strings.HasSuffix(path, "_linux.go"):
			overlay.Replace[path] = "" // not there
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, system := range systems {
			if bytes.Contains(text, []byte("\n//go:build "+system+"\n")) {
				overlay.Replace[path] = ""
			}
			only := []byte("\n//go:build !" + system + "\n")
			if !bytes.Contains(text, only) {
				continue
			}
			to := filepath.Join(dir, strings.ReplaceAll(strings.TrimPrefix(path, root), string(filepath.Separator), "-"))
			overlay.Replace[path] = to
			if err := os.WriteFile(to, bytes.Replace(text, only, []byte("\n"), 1), 0o644); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	list, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	program, file := filepath.Join(dir, "beltrace"), filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, list, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-overlay", file, "-o", program, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

func mustAbs(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}
