// SPDX-License-Identifier: Apache-2.0

package view_test

import (
	"strings"
	"testing"

	"beltrace/collector/model"
	"beltrace/internal/view/viewtest"
)

// TestFindingsNameTheirSubject: what tells two listeners of one name apart is not cut off, nor is their address.
func TestFindingsNameTheirSubject(t *testing.T) {
	for _, c := range []struct {
		id, subject string
		width       int // from which on all of it is shown
	}{
		{"listener-closed-waiting", "nginx 10.77.0.2:8080 netns 4026532577", 79},
		{"accept-queue-full", "gunicorn 127.0.0.1:8080 netns 4026532577", 79},
		{"accept-queue-full", "a-name-of-15-ch 255.255.255.255:65535 netns 4026532577 pid 4194304", 119},
	} {
		s := viewtest.Empty()
		s.Findings = []model.Finding{{ID: c.id, Severity: model.Critical, Subject: c.subject, Text: "it is full", Since: s.TS - 2e9}}
		for _, width := range []int{c.width, 200} {
			if got := shown(t, s, "findings", width); !strings.Contains(got, c.subject) {
				t.Errorf("at %d columns there is no %q: %q", width, c.subject, got)
			}
		}
	}
}
