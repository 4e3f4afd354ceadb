module github.com/openziti/secretstream

go 1.26.0
