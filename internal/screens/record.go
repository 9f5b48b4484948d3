// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// duration is how long is recorded.
const duration = 15 * time.Second

// makeRecording lets beltrace watch the four servers from their start.
func makeRecording(program, path string) error {
	bin, err := os.MkdirTemp("", "screens")
	if err != nil {
		return err
	}
	defer os.RemoveAll(bin)
	tracer := exec.Command(program, "record", path, "--port", "6379,7000,8080,9000", "--for", duration.String())
	messages, err := tracer.StderrPipe()
	if err != nil {
		return err
	}
	if err := tracer.Start(); err != nil {
		return err
	}
	defer tracer.Wait() // a second time does nothing
	if err := await(messages, "watching"); err != nil {
		return err
	}
	for _, role := range []string{"web", "api", "auth", "cache", "client"} {
		end, err := start(bin, role)
		if err != nil {
			return err
		}
		defer end()
		time.Sleep(200 * time.Millisecond) // the servers before their clients
	}
	go io.Copy(os.Stderr, messages)
	if err := tracer.Wait(); err != nil {
		return fmt.Errorf("%s record: %w", program, err)
	}
	return nil
}

// await reads lines up to one that begins so.
func await(r io.Reader, begin string) error {
	var all []string
	for lines := bufio.NewScanner(r); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), begin) {
			return nil
		}
		all = append(all, lines.Text())
	}
	return fmt.Errorf("never saw %q: %s", begin, strings.Join(all, "; "))
}

// start runs this program under the name of a role, which is what the kernel calls the process, and returns what ends it.
func start(dir, role string) (end func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	image, err := os.ReadFile(self)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, role)
	if err := os.WriteFile(path, image, 0o755); err != nil {
		return nil, err
	}
	cmd := exec.Command(path, "-role", role)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() {
		cmd.Process.Kill()
		cmd.Wait()
	}, nil
}
