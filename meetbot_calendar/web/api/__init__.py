"""One resource a file: request, response, handlers."""
