// SPDX-License-Identifier: Apache-2.0

package vagrant

import (
	"crypto/sha512"
	"errors"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestImageUnreachable tests what is said when the server cannot be reached, and when there is no place for the image:
// what it is, and what to do, in one line.
func TestImageUnreachable(t *testing.T) {
	m := newMirror(t)
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("needs curl")
	}
	sum := sha512.Sum512(m.image)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0") // nobody listens there then
	if err != nil {
		t.Fatal(err)
	}
	free.Close()
	secret := httptest.NewUnstartedServer(m) // its certificate is nobody's
	secret.Config.ErrorLog = log.New(io.Discard, "", 0)
	secret.StartTLS()
	defer secret.Close()
	once := `exec ` + curl + ` "$@" --retry 0` // a name that is not found is asked for again otherwise
	for _, tt := range []struct{ name, curl, url, cache, want string }{
		{"unknown host", once, "http://nothing.invalid/x", "", "there is no host nothing.invalid here: is this machine on the network?"},
		{"refused", once, "http://" + free.Addr().String() + "/x", "", "no connection to " + free.Addr().String() + ": is there a firewall"},
		{"certificate", once, secret.URL, "", "the certificate of " + secret.Listener.Addr().String() + " is not trusted here"},
		{"disk full", "exit 23", m.URL, "", "the image cannot be written to /"},
		{"no folder", once, m.URL, file, "the image cannot be kept: mkdir: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bin := t.TempDir()
			command(t, bin, "curl", tt.curl)
			s := newImageSH(t, tt.url, sum)
			s.env = append(s.env, "PATH="+bin+":"+os.Getenv("PATH"), "no_proxy=*")
			if tt.cache != "" {
				s.env = append(s.env, "BELTRACE_CACHE="+tt.cache)
			}
			out, err := s.run()
			if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 1 {
				t.Errorf("%v, want exit 1", err)
			}
			said := strings.Split(strings.TrimSpace(out), "\n")
			if strings.Contains(said[0], ": fetching ") {
				said = said[1:]
			}
			if len(said) != 1 || !strings.HasPrefix(said[0], "image.sh: "+tt.want) {
				t.Errorf("it says\n%swant one line that begins %q", out, tt.want)
			}
		})
	}
}
