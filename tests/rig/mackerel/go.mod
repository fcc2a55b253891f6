module judge

go 1.24.0

require github.com/mackerelio/mackerel-client-go v0.38.0
