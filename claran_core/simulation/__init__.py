"""The simulated sky: radio and infrared images of sources whose truth is known."""
