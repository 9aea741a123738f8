"""From a recording of mouse visual cortex to the image that excites each neuron most."""
