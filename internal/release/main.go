// SPDX-License-Identifier: Apache-2.0

// Command release is `make release`: for each system it builds the program and packs it with its manual, completions and
// licences, and writes the checksums. What it writes depends on the sources, the version and the time that it is told,
// and on nothing of this machine: two builds give the same bytes.
package main

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// release says what is built.
type release struct {
	Version string
	Commit  string
	Time    time.Time // of the commit: the date of every file in it
	Dist    string    // where to
	work    string    // for files that are not kept
}

func main() {
	var r release
	epoch := flag.Int64("time", 0, "`seconds` since 1970 of the commit")
	targets := flag.String("targets", "linux/amd64,linux/arm64,darwin/amd64,darwin/arm64", "systems, as `GOOS/GOARCH`")
	flag.StringVar(&r.Version, "version", "unknown", "the `version`")
	flag.StringVar(&r.Commit, "commit", "", "the commit's full `hash`")
	flag.StringVar(&r.Dist, "o", "dist", "`directory` to write to, which is emptied first")
	flag.Parse()
	r.Time = time.Unix(*epoch, 0).UTC()
	if err := r.run(strings.Split(*targets, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func (r *release) run(targets []string) error {
	if strings.ContainsAny(r.Version, "/ \t\n") || r.Version == "" {
		return fmt.Errorf("version %q cannot be part of a file's name", r.Version)
	}
	var err error
	if r.work, err = os.MkdirTemp("", "beltrace-release-"); err != nil {
		return fmt.Errorf("make work folder: %w", err)
	}
	defer os.RemoveAll(r.work)
	if err := os.RemoveAll(r.Dist); err != nil {
		return fmt.Errorf("empty %s: %w", r.Dist, err)
	}
	if err := os.MkdirAll(r.Dist, 0o755); err != nil {
		return fmt.Errorf("make %s: %w", r.Dist, err)
	}
	texts, err := r.texts()
	if err != nil {
		return err
	}
	var sums strings.Builder
	for _, t := range targets {
		name, err := r.pack(t, texts)
		if err != nil {
			return fmt.Errorf("%s: %w", t, err)
		}
		data, err := os.ReadFile(filepath.Join(r.Dist, name))
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(data), name)
		fmt.Printf("%s/%s  %.1f MB\n", r.Dist, name, float64(len(data))/1e6)
	}
	return os.WriteFile(filepath.Join(r.Dist, "SHA256SUMS"), []byte(sums.String()), 0o644)
}

// pack builds for one system and writes its archive, whose name it returns.
func (r *release) pack(target string, texts []entry) (string, error) {
	system, arch, ok := strings.Cut(target, "/")
	if !ok {
		return "", fmt.Errorf("a system is GOOS/GOARCH")
	}
	binary := filepath.Join(r.work, system+"-"+arch)
	env := []string{"GOOS=" + system, "GOARCH=" + arch}
	if err := r.build(binary, env...); err != nil {
		return "", err
	}
	if system == "linux" {
		if err := static(binary); err != nil {
			return "", err
		}
	}
	files := slices.Clone(texts)
	program, err := readEntry("beltrace", binary)
	if err != nil {
		return "", err
	}
	program.exec = true
	licences, err := dependencies(env)
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("beltrace-%s-%s-%s", r.Version, system, arch)
	return name + ".tar.gz", r.archive(name, append(append(files, program), licences...))
}

// build compiles the program as it is released.
func (r *release) build(out string, env ...string) error {
	ld := fmt.Sprintf("-s -w -buildid= -X main.version=%s -X main.commit=%s", r.Version, r.Commit)
	// The commit is stamped by us, so that an unpacked archive of the sources gives the same bytes as a clone.
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", ld, "-o", out, "./cmd/beltrace")
	cmd.Env = append(os.Environ(), append(env, "CGO_ENABLED=0", "GOFLAGS=", "GOAMD64=v1", "GOARM64=v8.0", "GOEXPERIMENT=")...)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go build: %w", err)
	}
	return nil
}

// texts are what every archive has: documents, and what the program writes about itself.
func (r *release) texts() ([]entry, error) {
	host := filepath.Join(r.work, "host")
	if err := r.build(host); err != nil {
		return nil, err
	}
	man := filepath.Join(r.work, "man")
	cmd := exec.Command(host, "__man", man)
	cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH="+strconv.FormatInt(r.Time.Unix(), 10))
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("man pages: %w: %s", err, out)
	}
	all, err := readTree("man/man1", man)
	if err != nil {
		return nil, err
	}
	for shell, name := range map[string]string{"bash": "beltrace.bash", "zsh": "_beltrace", "fish": "beltrace.fish"} {
		text, err := exec.Command(host, "completion", shell).Output()
		if err != nil {
			return nil, fmt.Errorf("completion of %s: %w", shell, err)
		}
		all = append(all, entry{name: "completions/" + name, data: text})
	}
	for _, path := range []string{"README.md", "CHANGELOG.md", "LICENSE", "bpf/LICENSE", "LICENSES/GPL-2.0-only.txt", "LICENSES/MIT.txt"} {
		e, err := readEntry(path, path)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}
