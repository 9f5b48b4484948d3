// SPDX-License-Identifier: Apache-2.0

package demotest

import (
	"bytes"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"beltrace/demos"
	"beltrace/demos/demo"
	"beltrace/internal/testkit"
)

// result is what demo --json prints.
type result struct {
	Demo   string `json:"demo"`
	Server string `json:"server"`
	Tier   string `json:"tier"`
	Claims []struct {
		Text     string           `json:"text"`
		OK       bool             `json:"ok"`
		Evidence map[string]int64 `json:"evidence"`
		Why      string           `json:"why"`
	} `json:"claims"`
	Unproven []struct {
		Text   string `json:"text"`
		Reason string `json:"reason"`
	} `json:"unproven"`
	Lost map[string]uint64 `json:"lost"`
}

// TestClaimsHoldOnThisKernel runs every demo in the real program: each claim is proven by what the kernel does, or
// said to be unprovable here with the reason.
func TestClaimsHoldOnThisKernel(t *testing.T) {
	testkit.Root(t)
	binary := beltrace(t)
	for _, d := range demos.All() {
		t.Run(d.Name, func(t *testing.T) {
			possible(t, &d)
			res := runDemo(t, binary, d.Name)
			if res.Demo != d.Name {
				t.Errorf("result of %q", res.Demo)
			}
			if want := countClaims(&d); len(res.Claims)+len(res.Unproven) != want {
				t.Errorf("%d claims and %d unproven, want %d in all", len(res.Claims), len(res.Unproven), want)
			}
			for _, c := range res.Claims {
				if !c.OK {
					t.Errorf("claim %q failed: %s (%v, tier %s, lost %v)", c.Text, c.Why, c.Evidence, res.Tier, res.Lost)
				}
				if len(c.Evidence) == 0 {
					t.Errorf("claim %q without a number", c.Text)
				}
			}
			for _, c := range res.Unproven {
				t.Logf("unproven in tier %s: %q: %s", res.Tier, c.Text, c.Reason)
				if c.Reason == "" {
					t.Errorf("claim %q is unproven without a reason", c.Text)
				}
			}
			if _, err := net.DialTimeout("tcp", res.Server, time.Second); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("dial %s after the end: %v; the server should be gone", res.Server, err)
			}
		})
	}
}

func countClaims(d *demo.Demo) int {
	n := 0
	for _, s := range d.Lesson.Steps {
		n += len(s.Claims)
	}
	return n
}

// runDemo runs a demo without a terminal, in the tier that the harness forces, if any.
func runDemo(t *testing.T, binary, name string) result {
	t.Helper()
	args := []string{"demo", name, "--json"}
	if tier := os.Getenv("BELTRACE_TIER"); tier != "" {
		args = append(args, "--tier", tier)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var res result
	if jsonErr := json.Unmarshal(stdout.Bytes(), &res); jsonErr != nil {
		t.Fatalf("%v: %v, no result\n%s%s", cmd.Args, err, stdout.Bytes(), stderr.Bytes())
	}
	if err != nil {
		t.Errorf("%v: %v\n%s", cmd.Args, err, stderr.Bytes())
	}
	return res
}

// beltrace returns the path of the program: the harness's, or one that is built here.
func beltrace(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("BELTRACE_BIN"); path != "" {
		return path
	}
	path := filepath.Join(t.TempDir(), "beltrace")
	cmd := exec.Command("go", "build", "-o", path, "-ldflags=-s -w", "beltrace/cmd/beltrace") // marks work in a stripped one
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build beltrace: %v\n%s", err, out)
	}
	return path
}
