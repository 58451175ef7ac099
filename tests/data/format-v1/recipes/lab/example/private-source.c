int secret(void) { return 42; }
