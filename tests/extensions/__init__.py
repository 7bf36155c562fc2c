"""Extensions that are wrong in one way each: name -> what is handed in, and the words of the refusal. `tests.test_extensions` runs them."""
