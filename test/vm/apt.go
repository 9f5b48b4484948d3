// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// keyring signs every suite we take; Debian machines have it installed.
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// listsAge is how long the lists of a mirror are taken for fresh.
const listsAge = 12 * time.Hour

// apt is a private view of the Debian archive: its own sources and lists, nothing of the machine's is touched.
type apt struct {
	dir  string // holds sources.list, preferences, lists and downloads
	arch string
}

// newApt writes the configuration of a private view with those suites, in dir.
func newApt(ctx context.Context, dir, arch string, suites []suite) (*apt, error) {
	main, security, err := mirrors(ctx)
	if err != nil {
		return nil, err
	}
	for _, d := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, fmt.Errorf("make apt folder: %w", err)
		}
	}
	var sources strings.Builder
	for _, s := range suites {
		uri := main
		if s.Security {
			uri = security
		}
		fmt.Fprintf(&sources, "deb [signed-by=%s] %s %s main\n", keyring, uri, s.Name)
	}
	if err := os.WriteFile(filepath.Join(dir, "sources.list"), []byte(sources.String()), 0o644); err != nil {
		return nil, fmt.Errorf("write apt sources: %w", err)
	}
	// One priority for all suites: backports would otherwise lose to an older version.
	pin := "Package: *\nPin: release *\nPin-Priority: 500\n"
	if err := os.WriteFile(filepath.Join(dir, "preferences"), []byte(pin), 0o644); err != nil {
		return nil, fmt.Errorf("write apt preferences: %w", err)
	}
	return &apt{dir: dir, arch: arch}, nil
}

// mirrors returns the Debian mirror that the machine's own apt sources name, and its security archive.
func mirrors(ctx context.Context) (main, security string, err error) {
	out, err := run(ctx, "", "apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages")
	if err != nil {
		return "", "", err
	}
	for line := range strings.Lines(out) {
		uri, release, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch path := strings.TrimRight(uri, "/"); {
		case strings.HasSuffix(path, "/debian-security") && strings.HasSuffix(release, "-security"):
			security = uri
		case strings.HasSuffix(path, "/debian"):
			main = uri
		}
	}
	if main == "" || security == "" {
		return "", "", fmt.Errorf("this machine's apt sources name no Debian mirror with a security archive")
	}
	return main, security, nil
}

// command runs one of the apt tools on the private view.
func (a *apt) command(ctx context.Context, dir, tool string, args ...string) (string, error) {
	set := func(k, v string) string { return "-o" + k + "=" + v }
	opts := []string{
		set("APT::Architecture", a.arch), set("APT::Architectures::", a.arch), set("Acquire::Languages", "none"),
		set("Acquire::IndexTargets::deb::DEP-11::DefaultEnabled", "false"),
		set("APT::Sandbox::User", "root"), set("Acquire::Retries", "2"),
		set("Dir::Etc::sourcelist", filepath.Join(a.dir, "sources.list")), set("Dir::Etc::sourceparts", "/dev/null"),
		set("Dir::Etc::preferences", filepath.Join(a.dir, "preferences")), set("Dir::Etc::preferencesparts", "/dev/null"),
		set("Dir::State::Lists", filepath.Join(a.dir, "lists")), set("Dir::State::status", "/dev/null"),
		set("Dir::Cache", filepath.Join(a.dir, "cache")),
	}
	return run(ctx, dir, tool, append(opts, args...)...)
}

// update fetches the lists, unless they are fresh.
func (a *apt) update(ctx context.Context) error {
	stamp := filepath.Join(a.dir, "updated")
	if st, err := os.Stat(stamp); err == nil && time.Since(st.ModTime()) < listsAge {
		return nil
	}
	if _, err := a.command(ctx, "", "apt-get", "update", "-q", "--error-on=any"); err != nil {
		return err
	}
	return os.WriteFile(stamp, nil, 0o644)
}

// candidate returns the version of a package that would be installed.
func (a *apt) candidate(ctx context.Context, pkg string) (string, error) {
	out, err := a.command(ctx, "", "apt-cache", "policy", pkg)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(out) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "Candidate: "); ok && v != "(none)" {
			return v, nil
		}
	}
	return "", fmt.Errorf("package %s: not in the archive for %s", pkg, a.arch)
}

// depends returns the real packages that pkg depends on.
func (a *apt) depends(ctx context.Context, pkg string) ([]string, error) {
	out, err := a.command(ctx, "", "apt-cache", "depends", "--important", pkg)
	if err != nil {
		return nil, err
	}
	var deps []string
	for line := range strings.Lines(out) {
		line = strings.TrimLeft(strings.TrimSpace(line), "|")
		if d, ok := strings.CutPrefix(line, "Depends: "); ok && !strings.HasPrefix(d, "<") {
			deps = append(deps, d)
		}
	}
	return deps, nil
}

// unpack downloads the packages and unpacks them into dir, with no scripts run.
func (a *apt) unpack(ctx context.Context, dir string, pkgs ...string) error {
	tmp, err := os.MkdirTemp(a.dir, "debs-")
	if err != nil {
		return fmt.Errorf("make download folder: %w", err)
	}
	defer os.RemoveAll(tmp)
	if _, err := a.command(ctx, tmp, "apt-get", append([]string{"download", "-q"}, pkgs...)...); err != nil {
		return err
	}
	debs, err := filepath.Glob(filepath.Join(tmp, "*.deb"))
	if err != nil || len(debs) == 0 {
		return fmt.Errorf("download %s: no package arrived", strings.Join(pkgs, " "))
	}
	for _, deb := range debs {
		if _, err := run(ctx, "", "dpkg", "-x", deb, dir); err != nil {
			return err
		}
	}
	return nil
}

// run runs a command to its end and returns what it printed; an error says the command and its last words.
func run(ctx context.Context, dir, name string, args ...string) (string, error) {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &errs
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	if err := cmd.Run(); err != nil {
		words := strings.Join(lastLines(errs.String(), 5), "; ")
		return "", fmt.Errorf("%s %s: %w: %s", name, args[len(args)-1], err, words)
	}
	return out.String(), nil
}

// lastLines returns the last n lines of s.
func lastLines(s string, n int) []string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return lines[max(0, len(lines)-n):]
}
